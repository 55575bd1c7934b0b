"""What becomes of each box in a transform of mmdet, on cases where the arithmetic is plain."""

import math
import random
from contextlib import nullcontext

import numpy as np
import pytest

from mmdet2tflite.detector import compat

pytestmark = [
    pytest.mark.toolchain,
    pytest.mark.filterwarnings("ignore:The `clip` function does nothing in `RotatedBoxes`"),
]

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
    import mmrotate.utils
    from mmdet.utils import register_all_modules

    from mmdet2tflite.detector import augment  # noqa: F401  (registers itself)

    register_all_modules(init_default_scope=True)
    mmrotate.utils.register_all_modules(init_default_scope=False)


def sample(*boxes: tuple[float, float, float, float], crowds: int = 0) -> dict:
    from mmdet.structures.bbox import HorizontalBoxes

    return {
        "img": np.arange(HEIGHT * WIDTH * 3, dtype=np.uint8).reshape(HEIGHT, WIDTH, 3),
        "img_shape": (HEIGHT, WIDTH),
        "gt_bboxes": HorizontalBoxes(np.array(boxes, np.float32).reshape(-1, 4)),
        "gt_bboxes_labels": np.arange(3, 3 + len(boxes)),
        "gt_ignore_flags": np.arange(len(boxes)) >= len(boxes) - crowds,
    }


def turned(*boxes: tuple[float, float, float, float, float]) -> dict:
    """A sample of oriented boxes: x and y of the centre, width, height, degrees clockwise."""
    from mmrotate.structures.bbox import RotatedBoxes

    content = sample(*[(0, 0, 0, 0)] * len(boxes))
    rotated = np.array(boxes, np.float32).reshape(-1, 5)
    rotated[:, 4] = np.radians(rotated[:, 4])
    return {**content, "gt_bboxes": RotatedBoxes(rotated)}


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
    assert watched.name == transform["type"].removeprefix("mmrotate.")
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


def test_the_visible_part_of_an_oriented_box_is_that_of_its_own_area():
    from mmdet2tflite.detector.box_fates import visible_share

    # A square on its corner, cut by the left border through its centre; then 3/4 of its width
    # outside: what is left is a triangle of a quarter of its height, (1/4)² · 2 of its area.
    diamond = np.array([0, 16, 8, 8, math.pi / 4], np.float32)
    assert visible_share(diamond, (HEIGHT, WIDTH)) == pytest.approx(1 / 2, abs=1e-6)
    diamond[0] = -math.sqrt(8)
    assert visible_share(diamond, (HEIGHT, WIDTH)) == pytest.approx(1 / 8, abs=1e-6)
    diamond[0] = 32
    assert visible_share(diamond, (HEIGHT, WIDTH)) == pytest.approx(1, abs=1e-6)
    diamond[0] = -40
    assert visible_share(diamond, (HEIGHT, WIDTH)) == 0


def test_oriented_boxes_that_the_affine_moves_out_have_left_and_those_on_the_edge_are_cut():
    # Twice as large about the top-left corner. The third lies across the lower right corner: its
    # centre is inside, most of it outside. So is the centre of the fourth, and all of the last.
    boxes = [
        (16, 8, 10, 4, 30),
        (16, 15, 12, 4, 90),
        (31, 15, 20, 2, -45),
        (33, 8, 10, 4, 30),
        (50, 8, 9, 4, 0),
    ]
    result, tally = run({"type": "RandomAffine", **TWICE}, turned(*boxes))
    assert tally == {"given": 5, "kept": 3, "cut": 1, "left": 2}
    assert result["gt_bboxes"].tensor[0, :2].tolist() == pytest.approx([32, 16], abs=1e-4)


def test_oriented_boxes_that_mosaics_border_drops_vanish_as_others_do():
    border = (-WIDTH // 2, -HEIGHT // 2)
    content = turned((20, 14, 20, 12, 30), (45, 17, 10, 26, 5))
    _, tally = run({"type": "RandomAffine", **STILL, "border": border}, content)
    assert tally == {"given": 2, "vanished": 2}


def test_watching_leaves_mmrotates_boxes_as_they_are():
    from mmrotate.structures.bbox import RotatedBoxes

    before = RotatedBoxes.clip_, RotatedBoxes.is_inside
    run({"type": "RandomAffine", **TWICE}, turned((16, 8, 10, 4, 30)))
    assert (RotatedBoxes.clip_, RotatedBoxes.is_inside) == before
    outside = RotatedBoxes(np.array([[-9, -9, 4, 4, 0]], np.float32))
    assert not outside.is_inside((HEIGHT, WIDTH)).any()


def test_an_oriented_box_is_small_by_its_own_sides():
    # The upright box around the first is larger than 8 x 8.
    content = turned((32, 16, 12, 4, 45), (32, 16, 5, 5, 45), (32, 16, 4, 5, 0))
    filtered = {"type": "FilterAnnotations", "min_gt_bbox_wh": (4, 4), "keep_empty": False}
    assert run(filtered, content)[1] == {"given": 3, "kept": 1, "small": 2}


def test_quadrangles_are_followed_as_the_oriented_boxes_that_they_become():
    from mmrotate.structures.bbox import QuadriBoxes

    from mmdet2tflite.detector.box_fates import TRAIL
    from mmdet2tflite.runtime.decode.corners import corners_of

    # 20 · (0.8, 0.6) and 10 · (-0.6, 0.8) from (20, 4).
    corners = [(20, 4), (36, 16), (30, 24), (14, 12)]
    content = {
        **sample((0, 0, 0, 0)),
        "gt_bboxes": QuadriBoxes(np.array(corners, np.float32).reshape(1, 8)),
    }
    convert = {"type": "mmrotate.ConvertBoxType", "box_type_mapping": {"gt_bboxes": "rbox"}}
    result, tally = run(convert, content)
    assert tally == {"given": 1, "kept": 1}
    for seen in result[TRAIL]:
        (found,) = corners_of(seen.boxes)
        # minAreaRect begins at any of them, and computes in float32.
        assert np.allclose(sorted(found.round().tolist()), sorted(corners))
        assert np.allclose(found, found.round(), atol=0.01)


def test_a_sample_that_has_lost_its_oriented_boxes_shows_none():
    from mmdet2tflite.detector.box_fates import TRAIL

    result, tally = run({"type": "RandomAffine", **TWICE}, turned((50, 8, 9, 4, 0)))
    assert tally == {"given": 1, "left": 1}
    assert [len(seen.boxes) for seen in result[TRAIL]] == [1, 0]
