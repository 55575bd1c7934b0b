"""What openvino2tensorflow misreads is written in another way, and computes the same."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mmdet2tflite.errors import ModelError
from mmdet2tflite.processes.toolchain import WITHOUT_TELEMETRY
from tests.quiet_openvino import normalise_ir, ov, read_onnx

SHAPE = (1, 4, 9, 10)
RANDOM = np.random.default_rng(3)
OPERANDS = {
    "kernel": RANDOM.standard_normal((5, 4, 3, 3)),
    "depthwise": RANDOM.standard_normal((4, 1, 3, 3)),
    "transposed": RANDOM.standard_normal((4, 3, 3, 3)),
    "bias": RANDOM.standard_normal(3),
}
OPERANDS = {name: values.astype(np.float32) for name, values in OPERANDS.items()} | {
    name: np.array(values, np.int64)
    for name, values in {
        "starts": [1, -1],
        "stops": [2**31, -(2**40)],
        "axes": [2, 3],
        "steps": [2, -2],
        "rows_and_columns": [0, 0, 1, 0, 0, 0, 2, 1],
        "channels": [0, 0, 0, 0, 0, 3, 0, 0],
    }.items()
}

type Operator = tuple[str, list[str], dict[str, object]]

STRIDE_2 = {"strides": [2, 2]}
ACCEPTED: dict[str, tuple[Operator, set[str]]] = {
    "begin pads": (("Conv", ["kernel"], {"pads": [1, 1, 0, 0], **STRIDE_2}), {"Pad"}),
    "end pads alone": (("Conv", ["kernel"], {"pads": [0, 0, 2, 2], **STRIDE_2}), {"Pad"}),
    "depthwise": (("Conv", ["depthwise"], {"pads": [1, 0, 2, 1], "group": 4}), {"Pad"}),
    "SAME": (("Conv", ["kernel"], {"auto_pad": "SAME_UPPER", **STRIDE_2}), set()),
    "VALID": (("Conv", ["kernel"], {}), set()),
    "maximum": (
        ("MaxPool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 0], **STRIDE_2}),
        {"Pad"},
    ),
    "half a kernel": (("MaxPool", [], {"kernel_shape": [4, 5], "pads": [2, 2, 0, 2]}), {"Pad"}),
    "counted average": (
        ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1, 0, 1, 0], "count_include_pad": 1}),
        {"Pad"},
    ),
    "transposed": (
        (
            "ConvTranspose",
            ["transposed"],
            {"pads": [1, 0, 1, 1], "output_padding": [1, 0], **STRIDE_2},
        ),
        {"StridedSlice"},
    ),
    "transposed, dilated, with bias": (
        ("ConvTranspose", ["transposed", "bias"], {"pads": [1, 2, 1, 0], "dilations": [1, 2]}),
        {"StridedSlice", "Add"},
    ),
    "transposed without pads": (("ConvTranspose", ["transposed"], STRIDE_2), set()),
    "a slice, one axis backwards": (
        ("Slice", ["starts", "stops", "axes", "steps"], {}),
        {"StridedSlice"},
    ),
    "a pad of its own": (("Pad", ["rows_and_columns"], {}), {"Pad"}),
    "a reflecting pad": (("Pad", ["rows_and_columns"], {"mode": "reflect"}), {"Pad"}),
}
REFUSED: dict[str, tuple[Operator, str]] = {
    "average": (
        ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 0], **STRIDE_2}),
        "an average that does not count its padding",
    ),
    "maximum": (
        ("MaxPool", [], {"kernel_shape": [3, 3], "pads": [2, 2, 0, 0], **STRIDE_2}),
        "a pad of 2 for a kernel of 3",
    ),
    "channels": (("Pad", ["channels"], {}), "a Pad that is not over rows and columns"),
    "edge": (("Pad", ["rows_and_columns"], {"mode": "edge"}), "a Pad in mode edge"),
    "transposed": (
        ("ConvTranspose", ["transposed"], {"output_padding": [1, 1], **STRIDE_2}),
        "beyond its last window",
    ),
}


@pytest.fixture(autouse=True)
def without_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in WITHOUT_TELEMETRY.items():
        monkeypatch.setenv(name, value)


def write(path: Path, operator: Operator) -> Path:
    kind, operands, attributes = operator
    node = helper.make_node(kind, ["image", *operands], ["map"], **attributes)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, SHAPE)
    result = helper.make_tensor_value_info("map", TensorProto.FLOAT, None)
    constants = [numpy_helper.from_array(OPERANDS[name], name) for name in operands]
    graph = helper.make_graph([node], "tiny", [image], [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def kinds(model: ov.Model) -> list[str]:
    return [node.get_type_name() for node in model.get_ordered_ops()]


@pytest.mark.parametrize("case", ACCEPTED)
def test_the_numbers_stay_and_what_is_misread_is_gone(tmp_path, case):
    operator, added = ACCEPTED[case]
    path = write(tmp_path / "tiny.onnx", operator)
    image = RANDOM.standard_normal(SHAPE).astype(np.float32) - 2  # maxima below zero
    (expected,) = onnxruntime.InferenceSession(path).run(None, {"image": image})
    model = read_onnx(path)
    normalise_ir(model)
    found = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(image)[0]
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5
    assert added <= set(kinds(model))
    assert ("Pad" in kinds(model)) == ("Pad" in added)
    for node in model.get_ordered_ops():
        assert node.get_type_name() != "Slice"
        attributes = node.get_attributes()
        if attributes.get("auto_pad") == "explicit":
            assert not any(attributes["pads_begin"] + attributes["pads_end"])


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_says_which_operator_and_why(tmp_path, case):
    operator, reason = REFUSED[case]
    model = read_onnx(write(tmp_path / "tiny.onnx", operator))
    with pytest.raises(ModelError, match=reason) as caught:
        normalise_ir(model)
    assert "map" in caught.value.found  # the node's name
    assert "onnx2tf" in caught.value.remedy


def test_a_graph_that_openvino_does_not_take_is_the_users_to_change(tmp_path):
    path = write(tmp_path / "tiny.onnx", ("NoSuchOperator", [], {}))
    with pytest.raises(ModelError, match=r"OpenVINO does not take tiny\.onnx"):
        read_onnx(path)
