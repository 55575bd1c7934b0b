"""Batch normalisation becomes part of the layer before it, or a multiplication and an addition."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from mmdet2tflite.graph.edit import (
    Array,
    constant,
    describe,
    gives_more,
    integer,
    is_op,
    new_constant,
    new_node,
    readers,
    redirect,
    shape_of,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass

type Float64 = NDArray[np.float64]

EPSILON = 1e-5
"""ONNX's default."""


class FoldBatchNormalization(ReportingPass):
    """y = a·x + c per channel, with a = gamma / sqrt(variance + epsilon) and c = beta - a·mean.

    1. After ``Conv``, ``ConvTranspose`` or ``Gemm`` with constant weights: the weights of each
       output channel times a, the bias times a plus c. In float64, rounded once.
    2. Only where the layer's output has no other reader and is no graph output.
    3. Elsewhere: ``Mul`` by a and ``Add`` of c, constants of the shape 1 x C x 1 x 1.
    4. In training mode, or with statistics that are not constant, it stays.

    Source: ONNX operator specification, BatchNormalization.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if not is_op(node, "BatchNormalization"):
                continue
            factors = _factors(node)
            if factors is None:
                self.left(node, "it is in training mode, or its statistics are not constant")
                continue
            layer = _layer_before(node)
            if layer is not None and _scale(model.graph, layer, *factors):
                redirect(node.outputs[0], layer.outputs[0])
                self.changed(f"folded {describe(node)} into {describe(layer)}")
            else:
                _write_as_mul_and_add(model.graph, node, *factors)
                self.changed(
                    f"wrote {describe(node)} as Mul and Add: no layer before it to fold into"
                )
            model.graph.remove(node, safe=True)


def _factors(node: ir.Node) -> tuple[Float64, Float64] | None:
    """a and c, C each; None by rule 4."""
    statistics = [constant(value) for value in node.inputs[1:5]]
    if gives_more(node) or integer(node, "training_mode", 0) or any(s is None for s in statistics):
        return None
    gamma, beta, mean, variance = (np.asarray(array, np.float64) for array in statistics)
    epsilon = node.attributes.get("epsilon")
    a = gamma / np.sqrt(variance + (EPSILON if epsilon is None else epsilon.as_float()))
    return a, beta - a * mean


def _layer_before(node: ir.Node) -> ir.Node | None:
    """Rule 2."""
    value = node.inputs[0]
    assert value is not None
    layer = value.producer()
    if not is_op(layer, "Conv", "ConvTranspose", "Gemm"):
        return None
    return None if value.is_graph_output() or len(list(readers(value))) > 1 else layer


def _scale(graph: ir.Graph, layer: ir.Node, a: Float64, c: Float64) -> bool:
    """Rule 1; False, and nothing done, where weights or bias are not constant."""
    weights = constant(layer.inputs[1])
    bias_value = layer.inputs[2] if len(layer.inputs) > 2 else None
    bias = constant(bias_value)
    if weights is None or (bias_value is not None and bias is None):
        return False
    if is_op(layer, "Gemm"):
        # alpha stays with the weights; beta belongs to the old bias only.
        factor = layer.attributes.pop("beta", None)
        bias = (
            None
            if bias is None
            else np.asarray(bias, np.float64) * (factor.as_float() if factor else 1)
        )
    scaled = _scale_weights(layer, np.asarray(weights, np.float64), a)
    shifted = c if bias is None else np.asarray(bias, np.float64) * a + c
    _set_input(graph, layer, 1, "weight", scaled.astype(weights.dtype))
    _set_input(graph, layer, 2, "bias", shifted.astype(weights.dtype))
    return True


def _scale_weights(layer: ir.Node, weights: Float64, a: Float64) -> Float64:
    match layer.op_type:
        case "Conv":  # O x I x ...
            return weights * a.reshape(-1, *[1] * (weights.ndim - 1))
        case "ConvTranspose":  # I x O / groups x ...
            groups = integer(layer, "group", 1)
            grouped = weights.reshape(groups, -1, *weights.shape[1:])
            factors = a.reshape(groups, 1, -1, *[1] * (weights.ndim - 2))
            return (grouped * factors).reshape(weights.shape)
        case _:  # Gemm: I x O, or O x I with transB
            return weights * (a[:, None] if integer(layer, "transB", 0) else a)


def _set_input(graph: ir.Graph, layer: ir.Node, index: int, what: str, array: Array) -> None:
    """A constant of its own: another layer may share the old one."""
    if len(layer.inputs) <= index:
        layer.resize_inputs(index + 1)
    layer.replace_input_with(index, new_constant(graph, f"{layer.name}_{what}", array))


def _write_as_mul_and_add(graph: ir.Graph, node: ir.Node, a: Float64, c: Float64) -> None:
    """Rule 3."""
    value, output = node.inputs[0], node.outputs[0]
    assert value is not None
    assert value.dtype is not None
    shape = shape_of(value)
    for op_type, factor in (("Mul", a), ("Add", c)):
        array = factor.reshape(1, -1, *[1] * (len(shape) - 2)).astype(value.dtype.numpy())
        name = f"{node.name}_{op_type.lower()}"
        operand = new_constant(graph, f"{name}_operand", array)
        step = new_node(op_type, [value, operand], name=name, like=output, shape=shape)
        graph.insert_before(node, step)
        value = step.outputs[0]
    redirect(output, value)
