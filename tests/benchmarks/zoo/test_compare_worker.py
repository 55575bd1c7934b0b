"""The child that compares a file with its network, on files of a few bytes."""

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper

from benchmarks.zoo.compare_worker import compare_files, count, reference
from benchmarks.zoo.comparison import RIGHT
from mmdet2tflite.tflite.flatbuffer import write_model

SHAPE = [1, 2, 3, 4]


def save_onnx(path, node, shape=SHAPE, opset=13, result=None):
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, result or shape)
    graph = helper.make_graph([node], "g", [given], [made])
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def save_tflite(path, operator, shape=SHAPE):
    """One operator of float32: ``y = operator(x)``."""
    model = schema.ModelT()
    model.version, model.description = 3, b"test"
    model.buffers = [schema.BufferT()]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = operator
    code.version = 1
    model.operatorCodes = [code]
    graph = schema.SubGraphT()
    graph.tensors = []
    for name in (b"x", b"y"):
        tensor = schema.TensorT()
        tensor.name, tensor.shape = name, np.array(shape, np.int32)
        tensor.type, tensor.buffer = schema.TensorType.FLOAT32, 0
        graph.tensors.append(tensor)
    node = schema.OperatorT()
    node.opcodeIndex = 0
    node.inputs, node.outputs = np.array([0], np.int32), np.array([1], np.int32)
    graph.operators = [node]
    graph.inputs, graph.outputs = np.array([0], np.int32), np.array([1], np.int32)
    model.subgraphs = [graph]
    write_model(model, path)
    return path


@pytest.fixture
def relu(tmp_path):
    return save_onnx(tmp_path / "relu.onnx", helper.make_node("Relu", ["x"], ["y"]))


def test_the_same_operator_is_right_and_counted(relu, tmp_path):
    file = save_tflite(tmp_path / "relu.tflite", schema.BuiltinOperator.RELU)
    assert compare_files(relu, file) == {"error": 0, "output": "y", "allowed": RIGHT}
    assert count(file) == {"pads": 0, "transposes": 0, "operators": 1}


def test_channels_at_the_end_are_right(relu, tmp_path):
    file = save_tflite(tmp_path / "nhwc.tflite", schema.BuiltinOperator.RELU, [1, 3, 4, 2])
    assert compare_files(relu, file)["error"] == 0


def test_another_operator_is_wrong(relu, tmp_path):
    file = save_tflite(tmp_path / "tanh.tflite", schema.BuiltinOperator.TANH)
    assert compare_files(relu, file)["error"] > 0.1


def test_a_network_that_computes_no_numbers_compares_with_nothing(tmp_path):
    log = save_onnx(tmp_path / "log.onnx", helper.make_node("Log", ["x"], ["y"]))
    file = save_tflite(tmp_path / "log.tflite", schema.BuiltinOperator.LOG)
    with pytest.raises(ValueError, match="y is not finite"):
        compare_files(log, file)


def test_a_pooling_that_hangs_over_the_end_divides_by_what_is_there(tmp_path):
    window = {"kernel_shape": [1, 2], "strides": [1, 2], "ceil_mode": 1, "count_include_pad": 1}
    pool = helper.make_node("AveragePool", ["x"], ["y"], **window)
    network = save_onnx(tmp_path / "pool.onnx", pool, [1, 1, 1, 3], result=[1, 1, 1, 2])
    session = onnxruntime.InferenceSession(reference(network))
    (pooled,) = session.run(["y"], {"x": np.float32([[[[1, 3, 8]]]])})
    assert pooled.ravel().tolist() == [2, 8]
