"""Our letterbox and decoder against mmdet's own, on random images and random head outputs."""

from dataclasses import replace

import numpy as np
import pytest

from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode import FAMILIES, decode, letterbox
from tests.toolchain.tiny_heads import CLASSES as TINY_CLASSES
from tests.toolchain.tiny_heads import SIZE, TINY, random_input, seeded_model, write_config

pytestmark = pytest.mark.toolchain

CLASSES = 7
STRIDES = (8, 16, 32)
SIZES = {  # (width, height) of an image
    "landscape": (1280, 720),
    "portrait": (333, 500),
    "the input's own": (320, 192),
    "one pixel off": (321, 193),
    "odd": (457, 311),
    "tiny": (5, 3),
    "a single pixel": (1, 1),
    "a strip": (997, 13),
    "a column": (17, 1003),
    "one pixel less by the second rounding": (50, 66),
}


@pytest.fixture(scope="module")
def mmdet():
    from mmdet2tflite.detector import compat

    compat.prepare()
    import mmdet.datasets.transforms
    import mmdet.models
    from mmengine.registry import init_default_scope

    init_default_scope("mmdet")
    return mmdet


def mmdet_letterbox(mmdet, image, preprocessing):
    """mmdet's transform and its data preprocessor: tensor and scale factor."""
    import torch

    resize = mmdet.datasets.transforms.FixShapeResize(
        width=preprocessing.width,
        height=preprocessing.height,
        keep_ratio=True,
        pad_val=dict(img=(preprocessing.pad_value,) * 3),
    )
    results = resize.transform({"img": image})
    normalise = mmdet.models.DetDataPreprocessor(
        mean=preprocessing.mean,
        std=preprocessing.std,
        bgr_to_rgb=preprocessing.colour_order == "rgb",
    )
    pixels = torch.from_numpy(results["img"].transpose(2, 0, 1).copy())
    batch = normalise({"inputs": [pixels], "data_samples": None})["inputs"]
    return batch.numpy(), results["scale_factor"]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("network", ["yolox", "normalised rgb"])
def test_letterbox_equals_the_mmdet_pipeline_bit_for_bit(mmdet, size, network):
    preprocessing = Preprocessing(width=320, height=192)
    if network != "yolox":
        preprocessing = Preprocessing(
            width=256,
            height=320,
            colour_order="rgb",
            mean=(103.53, 116.28, 123.675),
            std=(57.375, 57.12, 58.395),
        )
    rng = np.random.default_rng(size[0])
    image = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)

    expected, expected_scale = mmdet_letterbox(mmdet, image.copy(), preprocessing)
    tensor, scale_factor = letterbox(image, preprocessing)

    assert tensor.dtype == np.float32
    np.testing.assert_array_equal(tensor, expected)
    assert (scale_factor, scale_factor) == expected_scale


def test_letterbox_equals_the_mmdet_pipeline_for_two_hundred_random_sizes(mmdet):
    rng = np.random.default_rng(0)
    preprocessing = Preprocessing(width=160, height=96)
    for width, height in rng.integers(20, 700, (200, 2)):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected, _ = mmdet_letterbox(mmdet, image.copy(), preprocessing)
        tensor, _ = letterbox(image, preprocessing)
        np.testing.assert_array_equal(tensor, expected, err_msg=f"{width} x {height}")


def random_outputs(rng, width, height, shift):
    """Raw maps as a head might give; ``shift`` of the logits decides how many boxes pass."""
    maps = {}
    for stride in STRIDES:
        rows, columns = height // stride, width // stride
        maps[f"cls_{stride}"] = rng.normal(shift, 2, (1, CLASSES, rows, columns))
        maps[f"box_{stride}"] = rng.normal(0.3, 0.8, (1, 4, rows, columns))
        maps[f"obj_{stride}"] = rng.normal(shift, 2, (1, 1, rows, columns))
    return {name: value.astype(np.float32) for name, value in maps.items()}


def mmdet_decode(mmdet, outputs, head, scale_factor):
    import torch
    from mmengine.config import ConfigDict

    yolox = mmdet.models.YOLOXHead(num_classes=CLASSES, in_channels=8, strides=list(head.strides))
    cfg = ConfigDict(
        score_thr=head.score_threshold, nms=dict(type="nms", iou_threshold=head.nms_iou)
    )
    levels = (
        [torch.from_numpy(outputs[f"{meaning}_{stride}"]) for stride in head.strides]
        for meaning in ("cls", "box", "obj")
    )
    meta = [{"scale_factor": (scale_factor, scale_factor)}]
    return yolox.predict_by_feat(*levels, batch_img_metas=meta, cfg=cfg, rescale=True)[0]


@pytest.mark.parametrize("shift", [-6.0, -2.0, 1.0], ids=["few", "hundreds", "thousands"])
@pytest.mark.parametrize("scale_factor", [1.0, 320 / 1051, 2.7])
@pytest.mark.parametrize("seed", range(3))
def test_decode_equals_mmdets_own_predict(mmdet, shift, scale_factor, seed):
    preprocessing = Preprocessing(width=320, height=192)
    head = Head(
        family="yolox",
        classes=tuple("abcdefg"),
        strides=STRIDES,
        score_threshold=0.01,
        nms_iou=0.65,
        max_detections=10_000,
    )
    outputs = random_outputs(np.random.default_rng(seed), 320, 192, shift)

    expected = mmdet_decode(mmdet, outputs, head, scale_factor)
    found = decode(outputs, head, preprocessing, scale_factor)

    assert len(found) == len(expected) > 0
    np.testing.assert_array_equal(found.labels, expected.labels.numpy())
    np.testing.assert_allclose(found.scores, expected.scores.numpy(), rtol=0, atol=1e-6)
    # Boxes reach a few hundred pixels, whose last float32 bit is 3e-5; times 1 / 0.3 rescaled.
    np.testing.assert_allclose(found.boxes, expected.bboxes.numpy(), rtol=1e-6, atol=1e-4)
    best = decode(outputs, replace(head, max_detections=5), preprocessing, scale_factor)
    np.testing.assert_array_equal(best.boxes, found.boxes[:5])


def test_decode_equals_mmdets_own_predict_when_nothing_passes_the_threshold(mmdet):
    head = Head(
        family="yolox",
        classes=tuple("abcdefg"),
        strides=STRIDES,
        score_threshold=0.01,
        nms_iou=0.65,
        max_detections=100,
    )
    outputs = random_outputs(np.random.default_rng(0), 320, 192, shift=-40.0)
    assert len(mmdet_decode(mmdet, outputs, head, 1.0)) == 0
    assert len(decode(outputs, head, Preprocessing(width=320, height=192), 1.0)) == 0


# --- RTMDet -----------------------------------------------------------------------------------


def rtmdet_outputs(rng, width, height, shift):
    """Class logits, and distances of which some are negative and many reach over the border."""
    maps = {}
    for stride in STRIDES:
        rows, columns = height // stride, width // stride
        maps[f"cls_{stride}"] = rng.normal(shift, 2, (1, CLASSES, rows, columns))
        maps[f"box_{stride}"] = rng.normal(2, 2, (1, 4, rows, columns)) * stride
    return {name: value.astype(np.float32) for name, value in maps.items()}


def mmdet_decode_rtmdet(mmdet, outputs, head, scale_factor, size):
    import torch
    from mmengine.config import ConfigDict

    rtmdet = mmdet.models.RTMDetSepBNHead(
        num_classes=CLASSES,
        in_channels=8,
        with_objectness=False,
        anchor_generator=dict(type="MlvlPointGenerator", offset=0, strides=list(head.strides)),
        bbox_coder=dict(type="DistancePointBBoxCoder"),
        loss_cls=dict(type="QualityFocalLoss", use_sigmoid=True, beta=2.0, loss_weight=1.0),
        loss_bbox=dict(type="GIoULoss", loss_weight=2.0),
    )
    cfg = ConfigDict(
        nms_pre=head.max_candidates,
        min_bbox_size=0,
        score_thr=head.score_threshold,
        nms=dict(type="nms", iou_threshold=head.nms_iou),
        max_per_img=head.max_detections,
    )
    levels = (
        [torch.from_numpy(outputs[f"{meaning}_{stride}"]) for stride in head.strides]
        for meaning in ("cls", "box")
    )
    meta = [{"scale_factor": (scale_factor, scale_factor), "img_shape": size[::-1]}]
    return rtmdet.predict_by_feat(*levels, batch_img_metas=meta, cfg=cfg, rescale=True)[0]


@pytest.mark.parametrize("shift", [-6.0, -2.0, 1.0], ids=["few", "hundreds", "thousands"])
@pytest.mark.parametrize("scale_factor", [1.0, 320 / 1051, 2.7])
@pytest.mark.parametrize("candidates", [30_000, 200])
def test_decode_of_rtmdet_equals_mmdets_own_predict(mmdet, shift, scale_factor, candidates):
    size = (320, 192)
    head = Head(
        family="rtmdet",
        classes=tuple("abcdefg"),
        strides=STRIDES,
        score_threshold=0.01,
        nms_iou=0.65,
        max_detections=300,
        max_candidates=candidates,
    )
    outputs = rtmdet_outputs(np.random.default_rng(0), *size, shift)

    expected = mmdet_decode_rtmdet(mmdet, outputs, head, scale_factor, size)
    found = decode(outputs, head, Preprocessing(width=320, height=192), scale_factor)

    assert len(found) == len(expected) > 0
    np.testing.assert_array_equal(found.labels, expected.labels.numpy())
    np.testing.assert_allclose(found.scores, expected.scores.numpy(), rtol=0, atol=1e-6)
    # mmdet multiplies by a rounded 1 / scale factor: a last bit of some hundred pixels.
    np.testing.assert_allclose(found.boxes, expected.bboxes.numpy(), rtol=1e-6, atol=1e-4)


# --- every family of mmdet's dense heads -------------------------------------------------------


@pytest.fixture(scope="module", params=TINY)
def tiny(request, mmdet, tmp_path_factory):
    """mmdet's network with seeded weights, and its head as our passport has it."""
    from mmengine.config import Config

    from mmdet2tflite.detector.head_description import describe_head

    config = write_config(tmp_path_factory.mktemp("heads"), request.param)
    cfg = Config.fromfile(str(config))
    cfg.model.bbox_head.num_classes = TINY_CLASSES
    model = seeded_model(config)
    return model, describe_head(cfg, tuple("0123456789"))


def mmdets_predict(model, image, scale_factor):
    """The head's maps by meaning, and what mmdet's own predict makes of the same image."""
    import torch
    from mmdet.structures import DetDataSample

    width, height = SIZE
    meta = {
        "img_shape": (height, width),
        "batch_input_shape": (height, width),
        "scale_factor": (scale_factor, scale_factor),
        "border": (0, height, 0, width),
    }
    with torch.inference_mode():
        maps = model(image)
        (found,) = model.predict(image, [DetDataSample(metainfo=meta)], rescale=True)
    return maps, found.pred_instances


@pytest.mark.parametrize("seed", range(8))
def test_decode_equals_what_mmdets_network_of_a_family_predicts(tiny, seed):
    from mmdet2tflite.detector.torch_runner import named_maps

    model, head = tiny
    family, preprocessing = FAMILIES[head.family], Preprocessing(*SIZE)
    image = random_input(model, 1, seed=100 + seed)

    maps, expected = mmdets_predict(model, image, scale_factor := (1.0, 0.7, 2.5)[seed % 3])
    outputs = named_maps(head, family.maps, maps)
    found = decode(outputs, head, preprocessing, scale_factor)

    assert len(family.candidates(outputs, head, preprocessing)) >= 100
    assert len(found) == len(expected) > 0
    np.testing.assert_allclose(found.scores, expected.scores.numpy(), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found.labels, expected.labels.numpy())
    if family.oriented:
        np.testing.assert_allclose(found.oriented, expected.bboxes.numpy(), rtol=0, atol=1e-3)
    else:
        np.testing.assert_allclose(found.boxes, expected.bboxes.numpy(), rtol=0, atol=1e-3)
