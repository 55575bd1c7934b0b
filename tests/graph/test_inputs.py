"""Every input of a network gets a static shape, and images with channels last are known as such."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.edit import shape_of
from mmdet2tflite.graph.inputs import is_channels_last, spatial_axes
from mmdet2tflite.graph.model_file import load_model
from tests.graph.passes.tiny import integers, node

FLOAT, INT64, UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8
KERNEL = {"w": integers(4, 3, 3, 3)}
CONV = node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])


def write(
    folder: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[int, list[int | str]]],
    constants: dict[str, np.ndarray],
    *,
    opset: int = 13,
    ir_version: int = 8,
) -> Path:
    """A network whose output is ``y``, of a rank that nobody states."""
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version
    )
    if ir_version < 4:  # every initializer is an input
        model.graph.input.extend(
            helper.make_tensor_value_info(name, FLOAT, value.shape)
            for name, value in constants.items()
        )
    path = folder / "model.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def shapes(model: ir.Model) -> dict[str, list[int]]:
    return {str(value.name): list(shape_of(value)) for value in model.graph.inputs}


def test_a_symbolic_batch_is_one_a_declared_one_stays_and_either_can_be_changed(
    tmp_path: Path,
) -> None:
    symbolic = write(tmp_path, [CONV], {"x": (FLOAT, ["N", 3, 8, 8])}, KERNEL)
    assert shapes(load_model(symbolic)) == {"x": [1, 3, 8, 8]}
    assert shapes(load_model(symbolic, batch=5)) == {"x": [5, 3, 8, 8]}
    declared = write(tmp_path, [CONV], {"x": (FLOAT, [4, 3, 8, 8])}, KERNEL)
    assert shapes(load_model(declared)) == {"x": [4, 3, 8, 8]}
    assert shapes(load_model(declared, batch=1)) == {"x": [1, 3, 8, 8]}


def test_a_reshape_that_was_written_for_the_declared_batch_follows_the_new_one(
    tmp_path: Path,
) -> None:
    nodes = [node("Conv", ["x", "w"], ["m"]), node("Reshape", ["m", "rows"], ["y"])]
    constants = {**KERNEL, "rows": np.array([10, -1], np.int64)}
    path = write(tmp_path, nodes, {"x": (FLOAT, [10, 3, 5, 6])}, constants)
    model = load_model(path, batch=1)
    canonicalise(model)
    assert shape_of(model.graph.outputs[0]) == (1, 4 * 3 * 4)


def test_inputs_of_other_ranks_and_types_are_taken(tmp_path: Path) -> None:
    nodes = [
        node("Gather", ["table", "ids"], ["t"]),
        node("Cast", ["bytes"], ["f"], to=FLOAT),
        node("MatMul", ["t", "f"], ["y"]),
    ]
    inputs = {"ids": (INT64, ["N", 7]), "bytes": (UINT8, [5, 3])}
    path = write(tmp_path, nodes, inputs, {"table": integers(9, 5)})
    assert shapes(load_model(path)) == {"ids": [1, 7], "bytes": [5, 3]}


def test_what_no_other_option_says_an_input_shape_does(tmp_path: Path) -> None:
    nodes = [node("Gather", ["table", "ids"], ["y"])]
    path = write(tmp_path, nodes, {"ids": (INT64, ["N", "T"])}, {"table": integers(9, 5)})
    with pytest.raises(ModelError, match="ids has the dynamic shape") as error:
        load_model(path)
    assert error.value.remedy == "give --input-shape ids=1,?"
    assert shapes(load_model(path, input_shapes={"ids": (2, 12)})) == {"ids": [2, 12]}
    with pytest.raises(ModelError, match="--input-shape is \\[2\\]"):
        load_model(path, input_shapes={"ids": (2,)})
    with pytest.raises(ModelError, match="--input-shape tokens"):
        load_model(path, input_shapes={"tokens": (2, 3)})


def test_float16_is_refused_with_the_types_that_a_file_can_take(tmp_path: Path) -> None:
    path = write(tmp_path, [node("Relu", ["x"], ["y"])], {"x": (TensorProto.FLOAT16, [1, 3])}, {})
    with pytest.raises(ModelError, match="x is a FLOAT16") as error:
        load_model(path)
    assert "float, int32, int64" in error.value.expected


@pytest.mark.parametrize("before", [[], ["Mul"], ["Cast", "Mul"]])
def test_an_image_that_the_network_turns_itself_has_its_channels_last(
    before: list[str], tmp_path: Path
) -> None:
    nodes, value = [], "x"
    for op_type in before:
        more = {"to": FLOAT} if op_type == "Cast" else {}
        operands = [value] if op_type == "Cast" else [value, "half"]
        nodes.append(node(op_type, operands, [f"{value}_"], **more))
        value += "_"
    nodes += [node("Transpose", [value], ["t"], perm=[0, 3, 1, 2]), node("Conv", ["t", "w"], ["y"])]
    constants = {**KERNEL, "half": np.float32([0.5])}
    kind = UINT8 if "Cast" in before else FLOAT
    path = write(tmp_path, nodes, {"x": (kind, [1, "H", "W", 3])}, constants)
    (image,) = load_model(path, (10, 6)).graph.inputs
    assert shape_of(image) == (1, 6, 10, 3)
    assert is_channels_last(image)
    assert spatial_axes(image) == (1, 2)


def test_an_image_that_something_else_reads_too_is_channels_first(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], ["c"]),
        node("ReduceMean", ["x"], ["m"]),
        node("Add", ["c", "m"], ["y"]),
    ]
    path = write(tmp_path, nodes, {"x": (FLOAT, [1, 6, 10, 3])}, KERNEL)
    (image,) = load_model(path).graph.inputs
    assert spatial_axes(image) == (2, 3)


@pytest.mark.parametrize(("opset", "ir_version"), [(7, 3), (9, 3), (11, 3), (13, 3), (13, 4)])
def test_initializers_among_the_inputs_are_no_inputs(
    opset: int, ir_version: int, tmp_path: Path
) -> None:
    path = write(
        tmp_path, [CONV], {"x": (FLOAT, [1, 3, 8, 8])}, KERNEL, opset=opset, ir_version=ir_version
    )
    model = load_model(path)
    assert shapes(model) == {"x": [1, 3, 8, 8]}
    image = integers(1, 3, 8, 8)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    loaded = onnxruntime.InferenceSession(
        ir.to_proto(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    np.testing.assert_array_equal(
        loaded.run(None, {"x": image})[0], session.run(None, {"x": image})[0]
    )
