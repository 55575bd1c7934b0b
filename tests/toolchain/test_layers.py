"""Does Conv2dSame compute TensorFlow's SAME, and is it nn.Conv2d in everything else?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet2tflite.detector import compat
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.edit import integers
from mmdet2tflite.graph.model_file import load_model

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.toolchain


@pytest.fixture(autouse=True, scope="module")
def _mmdet() -> None:
    compat.prepare()  # not on import: collecting the fast tests would load PyTorch


def conv(*sides: int, **window: object) -> torch.nn.Conv2d:
    from mmdet2tflite.detector.layers import Conv2dSame

    return Conv2dSame(*sides, **window)


def with_integers(layer: torch.nn.Conv2d, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The layer's weights, made small integers, and what it computes with them."""
    import torch

    weights = np.random.default_rng(1).integers(-4, 5, layer.weight.shape).astype(np.float32)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
        return weights, layer(torch.from_numpy(image)).numpy()


def same(image: np.ndarray, weights: np.ndarray, window: dict[str, list[int]]) -> np.ndarray:
    """TensorFlow's SAME of one channel, tap by tap: no library's padding is asked."""
    outputs, shifts = [], []
    for axis in (0, 1):
        size, taps = image.shape[axis], weights.shape[axis]
        stride, dilation = window["stride"][axis], window["dilation"][axis]
        outputs.append(-(-size // stride))
        total = max(0, (outputs[axis] - 1) * stride + (taps - 1) * dilation + 1 - size)
        shifts.append(total // 2)
    result = np.zeros(outputs, np.float32)
    for place in np.ndindex(*outputs):
        for tap in np.ndindex(*weights.shape):
            rows = [
                place[axis] * window["stride"][axis]
                + tap[axis] * window["dilation"][axis]
                - shifts[axis]
                for axis in (0, 1)
            ]
            if all(0 <= row < size for row, size in zip(rows, image.shape, strict=True)):
                result[place] += weights[tap] * image[tuple(rows)]
    return result


def pair(largest: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(1, largest), min_size=2, max_size=2)


@settings(deadline=None, max_examples=100)
@given(pair(9), pair(5), pair(4), pair(3), pair(9))
def test_every_window_that_pads_at_all_pads_as_same(size, kernel, stride, dilation, padding):
    image = np.arange(1, 1 + np.prod(size), dtype=np.float32).reshape(size)
    window = {"stride": stride, "dilation": dilation}
    layer = conv(1, 1, kernel, **window, padding=padding, bias=False)
    weights, found = with_integers(layer, image[None, None])
    np.testing.assert_array_equal(found[0, 0], same(image, weights[0, 0], window))


def test_three_taps_at_stride_two_begin_on_the_first_row():
    # The example of docs/padding.md: PyTorch gives 10 24 38 52.
    import torch

    layer = conv(1, 1, (3, 1), stride=(2, 1), padding=(1, 0), bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 2.0, 4.0]).reshape(1, 1, 3, 1))
        found = layer(torch.arange(1.0, 9.0).reshape(1, 1, 8, 1))
    assert found.ravel().tolist() == [17, 31, 45, 23]


def test_depthwise_each_channel_is_a_convolution_of_its_own():
    image = np.arange(2 * 6 * 8, dtype=np.float32).reshape(2, 6, 8)
    layer = conv(2, 2, 3, stride=2, padding=1, groups=2, bias=False)
    weights, found = with_integers(layer, image[None])
    window = {"stride": [2, 2], "dilation": [1, 1]}
    for channel in (0, 1):
        expected = same(image[channel], weights[channel, 0], window)
        np.testing.assert_array_equal(found[0, channel], expected)


@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((8, 6), {"kernel_size": 3, "padding": 1}),
        ((8, 6), {"kernel_size": 5, "padding": 2}),
        ((8, 6), {"kernel_size": 3, "padding": 2, "dilation": 2}),
        ((8, 6), {"kernel_size": 1}),
        ((7, 9), {"kernel_size": 3, "padding": 1, "stride": 2}),
        ((8, 6), {"kernel_size": 6, "padding": 2, "stride": 2}),
        ((8, 6), {"kernel_size": 3, "padding": 0, "stride": 2}),
        ((8, 6), {"kernel_size": 3, "padding": "same"}),
        ((8, 6), {"kernel_size": 3, "padding": "valid"}),
    ],
    ids=str,
)
def test_where_pytorch_pads_as_same_or_not_at_all_it_is_pytorchs_own_layer(size, window):
    import torch

    layer, own = conv(3, 4, **window), torch.nn.Conv2d(3, 4, **window)
    own.load_state_dict(layer.state_dict())
    image = torch.randn(2, 3, *size)
    assert torch.equal(layer(image), own(image))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("window", "exported", "pads"),
    [
        ({"kernel_size": 3, "padding": 1}, 0, (1, 1, 1, 1)),
        ({"kernel_size": 3, "padding": 0, "stride": 2}, 0, (0, 0, 0, 0)),
        ({"kernel_size": 3, "padding": 1, "stride": 2}, 1, (0, 0, 1, 1)),
    ],
    ids=["stride 1", "unpadded", "stride 2"],
)
def test_an_exported_graph_pads_only_where_the_ends_differ_and_by_constants(
    tmp_path, window, exported, pads
):
    import torch

    file, layer = tmp_path / "layer.onnx", conv(1, 1, **window)
    torch.onnx.export(layer, (torch.zeros(1, 1, 8, 8),), file, dynamo=False, opset_version=13)
    assert [node.op_type for node in onnx.load(file).graph.node].count("Pad") == exported
    model = load_model(file)
    canonicalise(model)
    (node,) = model.graph
    assert integers(node, "pads", ()) == pads


def test_mmcvs_fused_batch_norm_does_not_lose_the_pads():
    import torch
    from mmcv.cnn import ConvModule

    block = ConvModule(
        2,
        3,
        3,
        stride=2,
        padding=1,
        conv_cfg={"type": "Conv2dSame"},
        norm_cfg={"type": "BN"},
    ).eval()
    image = torch.randn(1, 2, 8, 8)
    expected = block(image)
    block.turn_on_efficient_conv_bn_eval()
    torch.testing.assert_close(block(image), expected)


def test_padding_with_anything_but_zeros_is_refused():
    with pytest.raises(ConfigError, match="padding_mode 'reflect'"):
        conv(1, 1, 3, padding=1, padding_mode="reflect")


def network(config: str, conv_cfg: dict[str, str] | None, **backbone: object) -> torch.nn.Module:
    """A detector of mmdet's own configs, initialised as for a training, from seed 0."""
    import torch
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules
    from mmengine.config import Config
    from mmengine.hub import get_config

    import mmdet2tflite.detector.layers  # noqa: F401  (registers itself)

    register_all_modules(init_default_scope=True)
    model: Config = get_config(config).model
    model.backbone.pop("init_cfg", None)  # weights from the network
    model.backbone.update(backbone)
    for part in (model.backbone, model.neck, model.bbox_head):
        part.conv_cfg = conv_cfg
    detector = MODELS.build(model)
    torch.manual_seed(0)
    detector.init_weights()
    return detector


CONFIGS = {
    "mmdet::yolox/yolox_nano_8xb8-300e_coco.py": {},
    "mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py": {"type": "CSPNeXtSame"},
}


@pytest.fixture(params=CONFIGS, ids=["yolox", "rtmdet"], scope="module")
def networks(request: pytest.FixtureRequest) -> tuple[torch.nn.Module, torch.nn.Module]:
    """The same detector with PyTorch's and with TensorFlow's padding."""
    name = request.param
    return network(name, None), network(name, {"type": "Conv2dSame"}, **CONFIGS[name])


def test_a_detector_has_the_parameters_and_the_initial_values_of_an_ordinary_one(networks):
    import torch

    ordinary, padded = (detector.state_dict() for detector in networks)
    assert list(ordinary) == list(padded)
    assert all(torch.equal(ordinary[name], padded[name]) for name in ordinary)


def test_every_strided_layer_of_a_detector_is_found_and_replaced(networks):
    from mmdet2tflite.detector.layers import check_padding

    ordinary, padded = networks
    with pytest.raises(ConfigError, match="strided layers pad as PyTorch does, first backbone"):
        check_padding(ordinary)
    check_padding(padded)


def test_a_strided_pooling_that_pads_is_named():
    from torch import nn

    from mmdet2tflite.detector.layers import check_padding

    check_padding(nn.Sequential(nn.MaxPool2d(5, 1, 2), nn.MaxPool2d(2, 2), nn.AvgPool2d(2)))
    with pytest.raises(ConfigError, match="1 strided layers pad as PyTorch does, first 1"):
        check_padding(nn.Sequential(nn.MaxPool2d(2, 2), nn.MaxPool2d(3, 2, 1)))


def test_a_part_that_takes_no_activation_is_refused_by_name(tmp_path):
    from mmdet2tflite.config.experiment import DetectorConfig, Training
    from mmdet2tflite.detector.mmdet_config import build_config
    from mmdet2tflite.detector.train_request import DataPaths

    file = tmp_path / "resnet.py"
    file.write_text(
        "_base_ = 'mmdet::yolox/yolox_nano_8xb8-300e_coco.py'\n"
        "model = dict(backbone=dict(_delete_=True, type='ResNet', depth=18))\n"
    )
    paths = (tmp_path / "a.json", tmp_path)
    data = DataPaths(classes=("cat",), train=paths, val=paths)

    def build(**choice: str) -> object:
        detector = DetectorConfig(config=file, **choice)
        return build_config(detector, Training(), data, Path(tmp_path)).model

    with pytest.raises(ConfigError, match="ResNet has no act_cfg"):
        build(activation="relu")
    # mmdet's ResNet is all ReLU, but its convolutions can be chosen.
    assert build(padding="tf").backbone.conv_cfg == {"type": "Conv2dSame"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("silu", "SiLU"), ("relu", "ReLU"), ("relu6", "ReLU6"), ("hardswish", "Hardswish")],
)
def test_an_activation_replaces_that_of_backbone_neck_and_head(tmp_path, name, kind):
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules

    from mmdet2tflite.config.experiment import DetectorConfig, Training
    from mmdet2tflite.detector.mmdet_config import build_config
    from mmdet2tflite.detector.train_request import DataPaths

    register_all_modules(init_default_scope=True)
    paths = (tmp_path / "a.json", tmp_path)
    data = DataPaths(classes=("cat",), train=paths, val=paths)
    cfg = build_config(DetectorConfig(activation=name), Training(), data, tmp_path)
    for part in (cfg.model.backbone, cfg.model.neck, cfg.model.bbox_head):
        found = {type(m.activate).__name__ for m in MODELS.build(part).modules() if _acts(m)}
        assert found == {kind}


def _acts(module: object) -> bool:
    return hasattr(module, "activate")
