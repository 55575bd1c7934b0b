"""What becomes of each box in a transform of mmdet, on cases where the arithmetic is plain."""

import random
from contextlib import nullcontext

import numpy as np
import pytest

from mmdet2tflite.detector import compat

pytestmark = pytest.mark.toolchain

WIDTH, HEIGHT = 64, 32
STILL = {
    "max_rotate_degree": 0.0,
    "max_translate_ratio": 0.0,
    "scaling_ratio_range": (1.0, 1.0),
    "max_shear_degree": 0.0,
}
TWICE = {**STILL, "scaling_ratio_range": (2.0, 2.0)}


@pytest.fixture(autouse=True, scope="module")
def _mmdet() -> None:
    compat.prepare()  # not on import: collecting the fast tests would load PyTorch
    from mmdet.utils import register_all_modules

    from mmdet2tflite.detector import augment  # noqa: F401  (registers itself)

    register_all_modules(init_default_scope=True)


def sample(*boxes: tuple[float, float, float, float], crowds: int = 0) -> dict:
    from mmdet.structures.bbox import HorizontalBoxes

    return {
        "img": np.arange(HEIGHT * WIDTH * 3, dtype=np.uint8).reshape(HEIGHT, WIDTH, 3),
        "img_shape": (HEIGHT, WIDTH),
        "gt_bboxes": HorizontalBoxes(np.array(boxes, np.float32).reshape(-1, 4)),
        "gt_bboxes_labels": np.arange(3, 3 + len(boxes)),
        "gt_ignore_flags": np.arange(len(boxes)) >= len(boxes) - crowds,
    }


class Given:
    """Brings its sample, whatever it is given: what loading does in a pipeline."""

    def __init__(self, content: dict) -> None:
        self.content = content

    def __call__(self, results: dict) -> dict:
        return dict(self.content)


def run(transform: dict, content: dict):
    """The sample after a watched transform, with its counts."""
    from mmdet.registry import TRANSFORMS

    from mmdet2tflite.detector.box_fates import Watched

    watched = Watched(TRANSFORMS.build(transform))
    result = watched(Watched(Given(content))({}))
    assert watched.counts.pop("calls") == 1
    assert watched.name == transform["type"]
    return result, {key: count for key, count in watched.counts.items() if count}


def test_a_box_that_stays_is_kept():
    _, tally = run({"type": "RandomAffine", **STILL}, sample((10, 8, 30, 20)))
    assert tally == {"given": 1, "kept": 1}


def test_boxes_that_the_affine_moves_out_have_left_and_those_on_the_edge_are_cut():
    # Twice as large about the top-left corner: x 8…24 → 16…48, 28…36 → 56…72 (half is inside),
    # 28…38 → 56…76 (two fifths), 31…51 → 62…102 (a twentieth), 40…50 → 80…100.
    boxes = [(8, 2, 24, 8), (28, 2, 36, 8), (28, 2, 38, 8), (31, 2, 51, 8), (40, 2, 50, 8)]
    result, tally = run({"type": "RandomAffine", **TWICE}, sample(*boxes))
    assert tally == {"given": 5, "kept": 4, "cut": 2, "left": 1}
    assert result["gt_bboxes"].tensor[1].tolist() == [56, 4, 64, 16]


def test_mosaics_border_without_mosaic_makes_boxes_vanish_from_where_they_can_be_seen():
    border = (-WIDTH // 2, -HEIGHT // 2)
    content = sample((10, 8, 30, 20), (40, 4, 50, 30))
    result, tally = run({"type": "RandomAffine", **STILL, "border": border}, content)
    assert tally == {"given": 2, "vanished": 2}
    # The picture is there, moved by nothing: OpenCV takes an empty size for the source's.
    assert np.array_equal(result["img"], content["img"])


def test_without_the_patch_they_could_not_be_told_from_boxes_that_left(monkeypatch):
    from mmdet2tflite.detector import box_fates

    monkeypatch.setattr(box_fates, "_boundless", nullcontext)
    border = (-WIDTH // 2, -HEIGHT // 2)
    content = sample((10, 8, 30, 20), (40, 4, 50, 30))
    _, tally = run({"type": "RandomAffine", **STILL, "border": border}, content)
    assert tally == {"given": 2, "left": 2}


def test_our_affine_keeps_the_same_boxes():
    content = sample((10, 8, 30, 20), (40, 4, 50, 30))
    affine = {"type": "CanvasAffine", "canvas": (WIDTH, HEIGHT), **STILL}
    assert run(affine, content)[1] == {"given": 2, "kept": 2}


def test_boxes_that_do_not_pass_the_filter_are_small():
    # mmdet keeps sides that are longer than the limit, not as long.
    content = sample((0, 0, 4, 9), (0, 0, 9, 4), (0, 0, 5, 5))
    filtered = {"type": "FilterAnnotations", "min_gt_bbox_wh": (4, 4), "keep_empty": False}
    assert run(filtered, content)[1] == {"given": 3, "kept": 1, "small": 2}


def test_a_sample_that_the_filter_refuses_is_counted_too():
    filtered = {"type": "FilterAnnotations", "min_gt_bbox_wh": (40, 40), "keep_empty": True}
    result, tally = run(filtered, sample((0, 0, 4, 9)))
    assert result is None
    assert tally == {"given": 1, "small": 1}


def test_crowds_are_not_counted():
    content = sample((10, 8, 30, 20), (0, 0, 64, 32), crowds=1)
    assert run({"type": "RandomFlip", "prob": 1.0}, content)[1] == {"given": 1, "kept": 1}


def test_boxes_that_a_transform_brings_in_are_new_and_carry_their_labels():
    from mmdet2tflite.detector.box_fates import TRAIL, Watched

    watched = Watched(Given(sample((0, 0, 9, 9), (1, 1, 8, 8))))
    (seen,) = watched({})[TRAIL]
    assert [watched.counts[name] for name in ("new", "kept", "given")] == [2, 2, 0]
    assert seen.labels == [3, 4]
    assert seen.boxes.tolist() == [[0, 0, 9, 9], [1, 1, 8, 8]]


def test_a_mosaic_is_given_the_boxes_of_all_four_images():
    content = sample((10, 8, 30, 20))
    content["mix_results"] = [sample((1, 1, 9, 9)) for _ in range(3)]
    for number, mixed in enumerate(content["mix_results"]):
        mixed["gt_bboxes_labels"] = np.array([10**9 * (1 + number)])  # loaded and numbered before
    # With its centre in the middle of the doubled canvas a mosaic of such images cuts none.
    mosaic = {"type": "Mosaic", "img_scale": (WIDTH, HEIGHT), "center_ratio_range": (1.0, 1.0)}
    from mmdet.registry import TRANSFORMS

    from mmdet2tflite.detector.box_fates import Watched

    watched = Watched(TRANSFORMS.build(mosaic))
    watched(Watched(Given(content))({}))
    assert [watched.counts[name] for name in ("given", "kept", "new")] == [4, 4, 0]


def test_watching_leaves_random_numbers_and_mmdets_boxes_as_they_are():
    from mmdet.structures.bbox import HorizontalBoxes

    content = sample((10, 8, 30, 20))
    transform = {"type": "RandomAffine"}
    random.seed(5)
    np.random.seed(5)
    watched, _ = run(transform, content)
    after = np.random.random()

    from mmdet.registry import TRANSFORMS

    random.seed(5)
    np.random.seed(5)
    plain = TRANSFORMS.build(transform)(sample((10, 8, 30, 20)))
    assert np.array_equal(watched["img"], plain["img"])
    assert watched["gt_bboxes"].tensor.tolist() == plain["gt_bboxes"].tensor.tolist()
    assert after == np.random.random()
    outside = HorizontalBoxes(np.array([[-9, -9, -1, -1]], np.float32))
    assert not outside.is_inside((HEIGHT, WIDTH)).any()


def test_a_transforms_own_memory_is_filled_once_for_each_image():
    from mmdet.registry import TRANSFORMS

    from mmdet2tflite.detector.box_fates import Watched

    mosaic = TRANSFORMS.build({"type": "CachedMosaic", "img_scale": (WIDTH, HEIGHT)})
    watched = Watched(mosaic)
    for calls in range(1, 4):
        watched(Watched(Given(sample((10, 8, 30, 20))))({}))
        assert len(mosaic.results_cache) == calls
