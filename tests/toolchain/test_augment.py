"""The affine gives the same canvas with mosaic on and off, and boxes stay on their objects."""

import numpy as np
import pytest

from mmdet2tflite.config.experiment import Augmentation, DetectorConfig
from mmdet2tflite.detector import compat

pytestmark = pytest.mark.toolchain

CANVAS = (64, 32)  # width, height
STILL = {
    "max_rotate_degree": 0.0,
    "max_translate_ratio": 0.0,
    "scaling_ratio_range": (1.0, 1.0),
    "max_shear_degree": 0.0,
}


@pytest.fixture(autouse=True, scope="module")
def _mmdet() -> None:
    compat.prepare()  # not on import: collecting the fast tests would load PyTorch


def affine(**settings: object):
    from mmdet.registry import TRANSFORMS
    from mmdet.utils import register_all_modules

    from mmdet2tflite.detector import augment  # noqa: F401  (registers itself)

    register_all_modules(init_default_scope=True)
    return TRANSFORMS.build({"type": "CanvasAffine", "canvas": CANVAS, **STILL, **settings})


def sample(width: int, height: int, box: tuple[int, int, int, int]) -> dict:
    from mmdet.structures.bbox import HorizontalBoxes

    image = np.zeros((height, width, 3), np.uint8)
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = 255
    return {
        "img": image,
        "img_shape": image.shape[:2],
        "gt_bboxes": HorizontalBoxes(np.array([box], np.float32)),
        "gt_bboxes_labels": np.zeros(1, np.int64),
        "gt_ignore_flags": np.zeros(1, bool),
    }


def test_without_movement_a_letterboxed_image_stays_as_it_is():
    source = sample(64, 32, (10, 8, 30, 20))
    result = affine().transform(dict(source))
    assert np.array_equal(result["img"], source["img"])
    assert result["gt_bboxes"].tensor.tolist() == [[10, 8, 30, 20]]


def test_without_movement_the_middle_of_a_mosaic_remains():
    # The doubled canvas is 128 x 64; its middle begins at (32, 16).
    result = affine().transform(sample(128, 64, (42, 24, 62, 36)))
    assert result["img"].shape == (32, 64, 3)
    assert result["gt_bboxes"].tensor.tolist() == [[10, 8, 30, 20]]
    assert result["img"][8:20, 10:30].min() == 255


@pytest.mark.parametrize("size", [(64, 32), (128, 64)], ids=["mosaic off", "mosaic on"])
def test_scaling_is_about_the_centre_and_the_box_goes_with_its_object(size):
    width, height = size
    box = (width // 2 - 4, height // 2 - 4, width // 2 + 4, height // 2 + 4)
    result = affine(scaling_ratio_range=(2.0, 2.0)).transform(sample(width, height, box))
    assert result["gt_bboxes"].tensor.tolist() == [[32 - 8, 16 - 8, 32 + 8, 16 + 8]]
    lit = np.argwhere(result["img"][..., 0] > 127)
    assert np.allclose([lit.min(axis=0), lit.max(axis=0) + 1], [[8, 24], [24, 40]], atol=1)


@pytest.mark.parametrize("mosaic", [True, False])
def test_the_pipeline_never_holds_a_border_that_only_fits_mosaic(mosaic):
    from mmdet2tflite.detector.pipelines import train_pipeline

    steps = train_pipeline(DetectorConfig(input_size=CANVAS), Augmentation(mosaic=mosaic))
    assert [step["type"] for step in steps[:2]][-1 if mosaic else 0] == "CanvasAffine"
    assert all("border" not in step for step in steps)
    assert ("Mosaic" in {step["type"] for step in steps}) is mosaic
