"""Gelu's approximation by tanh, which LiteRT computes another way, becomes a product."""

import math

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import (
    describe,
    is_op,
    new_constant,
    new_node,
    redirect,
    shape_of,
    string,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass

CUBIC = 0.044715
LINEAR = 2 * math.sqrt(2 / math.pi)


class SpellOutTanhGelu(ReportingPass):
    """``Gelu`` with approximate = tanh → x · sigmoid(x · (c + c·0.044715·x²)), c = 2·√(2/π).

    1. The operator is x/2 · (1 + tanh(u)) with u = √(2/π)·(x + 0.044715·x³), and (1 + tanh(u))/2
       is sigmoid(2u).
    2. The exact Gelu stays: LiteRT's is that one. Its approximation differs by 1.5e-4 of the range.

    Source: ONNX operator specification, Gelu.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if is_op(node, "Gelu") and string(node, "approximate", "none") == "tanh":
                redirect(node.outputs[0], _product(model.graph, node))
                model.graph.remove(node, safe=True)
                self.changed(f"wrote {describe(node)} by a sigmoid")


def _product(graph: ir.Graph, node: ir.Node) -> ir.Value:
    """Rule 1."""
    value = node.inputs[0]
    assert value is not None
    assert value.dtype is not None
    kind, shape = value.dtype.numpy(), shape_of(value)

    def add(op_type: str, what: str, *inputs: ir.Value) -> ir.Value:
        step = new_node(op_type, inputs, name=f"{node.name}_{what}", like=value, shape=shape)
        graph.insert_before(node, step)
        return step.outputs[0]

    cubic, linear = (
        new_constant(graph, f"{node.name}_{name}", np.array(number, kind))
        for name, number in (("cubic", LINEAR * CUBIC), ("linear", LINEAR))
    )
    slope = add(
        "Add", "slope", add("Mul", "cube", add("Mul", "square", value, value), cubic), linear
    )
    gate = add("Sigmoid", "gate", add("Mul", "twice", slope, value))
    return add("Mul", "product", value, gate)
