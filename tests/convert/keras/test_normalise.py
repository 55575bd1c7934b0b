"""What is normalised for TensorFlow, and that it computes the same."""

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mmdet2tflite.convert.keras.normalise import normalise_for_tensorflow

MAP, CHANNEL = [1, 2, 3, 4], [1, 2, 1, 1]


def graph(second: list[int], *, constant: bool = False) -> ir.Model:
    """``out = Neg(a) + (Neg(b), or b as a constant)`` with ``a`` of 1 x 2 x 3 x 4."""
    nodes = [
        helper.make_node("Neg", ["a"], ["x"], name="first"),
        helper.make_node("Neg", ["b"], ["y"], name="second"),
        helper.make_node("Add", ["x", "b" if constant else "y"], ["out"], name="add"),
    ]
    shapes = {"a": MAP, "b": second, "x": MAP, "y": second, "out": MAP}
    value = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()}
    values = np.random.default_rng(0).normal(size=second).astype(np.float32)
    weights = [numpy_helper.from_array(values, "b")] if constant else []
    inputs = [value["a"]] if constant else [value["a"], value["b"]]
    made = helper.make_graph(
        nodes[::2] if constant else nodes,
        "g",
        inputs,
        [value["out"]],
        weights,
        value_info=[value["x"], value["y"]][: 1 if constant else 2],
    )
    opsets = [helper.make_opsetid("", 13)]
    return ir.from_proto(helper.make_model(made, opset_imports=opsets, ir_version=8))


def run(model: ir.Model) -> np.ndarray:
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())
    random = np.random.default_rng(1)
    feed = {i.name: random.normal(size=i.shape).astype(np.float32) for i in session.get_inputs()}
    return session.run(None, feed)[0]


def test_an_add_of_two_computed_maps_becomes_a_sum_of_the_same_numbers():
    model = graph(MAP)
    before = run(model)
    normalise_for_tensorflow(model)
    assert [node.op_type for node in model.graph] == ["Neg", "Neg", "Sum"]
    assert np.array_equal(run(model), before)


@pytest.mark.parametrize(("second", "constant"), [(CHANNEL, False), (CHANNEL, True), (MAP, True)])
def test_an_add_that_broadcasts_or_adds_a_constant_stays(second, constant):
    model = graph(second, constant=constant)
    normalise_for_tensorflow(model)
    assert [node.op_type for node in model.graph][-1] == "Add"
