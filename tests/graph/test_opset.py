"""Does a model of an old opset compute the same at opset 13?"""

import numpy as np
import onnx
import onnx.version_converter
import onnx_ir as ir
import pytest
from onnx import ModelProto, NodeProto

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.opset import upgrade
from tests.graph.passes.tiny import build, integers, node, run

WEIGHTS = {"w": integers(3, 2, 3, 3)}


def assert_same(model: ModelProto) -> ir.Model:
    upgraded = upgrade(ir.from_proto(model))
    assert upgraded.opset_imports[""] == 13
    wanted, got = run(model), run(ir.to_proto(upgraded))
    assert list(got) == list(wanted)
    np.testing.assert_array_equal(got["y"], wanted["y"])
    return upgraded


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 12])
def test_a_network_computes_the_same(opset: int) -> None:
    statistics = {name: np.array([1, 4, 2], np.float32) for name in ("g", "b", "m", "v")}
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 0, 1], strides=[2, 2]),
        node("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"], epsilon=0.0),
        node("MaxPool", ["n"], ["p"], kernel_shape=[3, 3], auto_pad="SAME_UPPER"),
        node("Add", ["n", "p"], ["y"]),
    ]
    assert_same(build(nodes, {**WEIGHTS, **statistics}, opset=opset))


@pytest.mark.parametrize("opset", [13, 17, 21])
def test_newer_opsets_stay(opset: int) -> None:
    model = ir.from_proto(build([node("Conv", ["x", "w"], ["y"])], WEIGHTS, opset=opset))
    assert upgrade(model) is model


@pytest.mark.parametrize(
    "pad",
    [
        node("Pad", ["x"], ["y"], pads=[0, 0, 1, 1, 0, 0, 1, 2], value=1.5),
        node("Pad", ["x"], ["y"], pads=[0, 0, 1, 1, 0, 0, 1, 2], mode="reflect", value=0.0),
        node("Pad", ["x"], ["y"], pads=[0, 0, 1, 1, 0, 0, 1, 2], mode="edge"),
    ],
    ids=["constant", "reflect", "edge"],
)
def test_pad(pad: NodeProto) -> None:
    assert_same(build([pad], opset=9))


@pytest.mark.parametrize(
    ("op_type", "opset", "factors"),
    [
        ("Upsample", 9, (2, 3)),
        ("Upsample", 9, (1.7, 1.3)),
        ("Resize", 10, (2, 3)),
        ("Resize", 10, (1, 1.7)),
        ("Resize", 10, (0.4, 1)),
        ("Resize", 10, (0.4, 0.6)),
    ],
)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resize(op_type: str, opset: int, factors: tuple[float, float], mode: str) -> None:
    scales = np.array([1, 1, *factors], np.float32)
    model = build([node(op_type, ["x", "s"], ["y"], mode=mode)], {"s": scales}, opset=opset)
    assert_same(model)


def test_upsample_by_attribute() -> None:
    scales = [1.0, 1.0, 1.7, 1.3]
    assert_same(build([node("Upsample", ["x"], ["y"], mode="nearest", scales=scales)], opset=8))


def test_a_resize_that_says_how_stays() -> None:
    how = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
    scales = np.array([1, 1, 1.7, 1.3], np.float32)
    model = build(
        [node("Resize", ["x", "roi", "s"], ["y"], mode="nearest", **how)],
        {"s": scales, "roi": np.zeros(0, np.float32)},
        opset=11,
    )
    assert_same(model)


def test_up_along_one_axis_and_down_along_another_is_refused() -> None:
    scales = np.array([1, 1, 0.5, 2], np.float32)
    model = build([node("Resize", ["x", "s"], ["y"], name="r")], {"s": scales}, opset=10)
    with pytest.raises(ModelError) as error:
        upgrade(ir.from_proto(model))
    assert error.value.found == "Resize r scales up along one axis and down along another"
    assert error.value.remedy == "export the model with opset 13 to 23"


def test_what_the_converter_cannot_convert_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(proto: ModelProto, version: int) -> ModelProto:
        raise onnx.version_converter.ConvertError(f"No adapter of Odd for version {version}")

    monkeypatch.setattr(onnx.version_converter, "convert_version", fail)
    with pytest.raises(ModelError) as error:
        upgrade(ir.from_proto(build([node("Conv", ["x", "w"], ["y"])], WEIGHTS, opset=12)))
    assert error.value.found == (
        "the model has opset 12, which onnx.version_converter cannot convert: "
        "No adapter of Odd for version 13"
    )
    assert error.value.remedy == "export it with opset 13 to 23"
