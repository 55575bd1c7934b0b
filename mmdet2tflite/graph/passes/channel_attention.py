"""Channel attention behind a Concat is moved before it, where converters keep one layout."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import (
    constant,
    describe,
    integer,
    is_op,
    new_constant,
    new_node,
    readers,
    redirect,
    shape_of,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass

SIX = 6.0
CHANNELS = 1


@dataclass(frozen=True)
class Attention:
    """``concat`` times ``HardSigmoid(convolution(mean))``; nothing else reads any of them."""

    concat: ir.Node
    mean: ir.Node
    convolution: ir.Node
    gate: ir.Node
    product: ir.Node


class DistributeAttention(ReportingPass):
    """Concat(a, b) · gate(mean of Concat(a, b)) → Concat(a · gate_a, b · gate_b).

    1. Means of the parts are the parts of the mean; so are the products. The convolution of the
       means (1 x 1 on 1 x 1) is cut into the outputs of each part. Everything is computed once as
       before, but for the small maps that are cut.
    2. A mean over the whole map is an average pooling with a window of that size.
    3. HardSigmoid(x) = Clip(alpha x + beta, 0, 1) = Clip(6 alpha x + 6 beta, 0, 6) / 6, the factors
       in the convolution: ReLU6 is part of a convolution in TFLite.

    RTMDet's backbone (CSPNeXt) has it. onnx2tf 2.6.9 leaves such a Concat in N x C x H x W among
    maps that it has transposed to N x H x W x C, and takes small ones (up to 8 columns) for the
    other: it ends with an error, or gives an output a wrong order (docs/decisions/0006).
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            found = _attention_behind(node)
            if found is None:
                continue
            parts = _distribute(model.graph, found)
            joined = new_node(
                "Concat",
                parts,
                {"axis": CHANNELS},
                name=f"{found.product.name}_concat",
                like=found.product.outputs[0],
                shape=shape_of(found.product.outputs[0]),
            )
            model.graph.insert_before(found.product, joined)
            redirect(found.product.outputs[0], joined.outputs[0])
            self.changed(
                f"moved the attention of {describe(found.product)} before {describe(node)}"
            )
            model.graph.remove(
                [found.product, found.gate, found.convolution, found.mean, found.concat], safe=True
            )


def _attention_behind(concat: ir.Node) -> Attention | None:
    """The pattern, if nothing else reads any of its values."""
    if not is_op(concat, "Concat") or len(shape_of(concat.outputs[0])) != 4:
        return None
    if integer(concat, "axis", 0) not in (CHANNELS, CHANNELS - 4):
        return None
    mean = next((n for n in readers(concat.outputs[0]) if is_op(n, "GlobalAveragePool")), None)
    convolution = _only_reader(mean, "Conv")
    gate = _only_reader(convolution, "HardSigmoid")
    product = _only_reader(gate, "Mul")
    if mean is None or convolution is None or gate is None or product is None:
        return None
    alone = {*readers(concat.outputs[0])} == {mean, product}
    if not alone or concat.outputs[0].is_graph_output() or not _is_plain(convolution):
        return None
    return Attention(concat, mean, convolution, gate, product)


def _only_reader(node: ir.Node | None, op_type: str) -> ir.Node | None:
    """The one node that reads the output, if it is of this type and the output is no graph's."""
    if node is None or node.outputs[0].is_graph_output():
        return None
    found = list(readers(node.outputs[0]))
    return found[0] if len(found) == 1 and is_op(found[0], op_type) else None


def _is_plain(convolution: ir.Node) -> bool:
    """Constant weights and bias, one group, 1 x 1."""
    weight = constant(convolution.inputs[1])
    bias = constant(convolution.inputs[2]) if len(convolution.inputs) == 3 else None
    if weight is None or bias is None or integer(convolution, "group", 1) != 1:
        return False
    return weight.shape[2:] == (1, 1)


def _distribute(graph: ir.Graph, found: Attention) -> list[ir.Value]:
    """The parts of the Concat, each times its gate; new nodes stand before the product."""
    alpha, beta = (
        found.gate.attributes[name].as_float() if name in found.gate.attributes else default
        for name, default in (("alpha", 0.2), ("beta", 0.5))
    )
    # In float64 until they are rounded once; _is_plain has seen that both are constants.
    weight, bias = (
        SIX * alpha * np.asarray(constant(value), np.float64)
        for value in found.convolution.inputs[1:]
    )

    def add(
        op_type: str, inputs: list[ir.Value], name: str, shape: list[int], **more: Any
    ) -> ir.Value:
        node = new_node(op_type, inputs, more, name=name, like=found.concat.outputs[0], shape=shape)
        graph.insert_before(found.product, node)
        return node.outputs[0]

    sources = [value for value in found.concat.inputs if value is not None]
    sizes = [shape_of(value) for value in sources]
    batch, base = sizes[0][0], found.mean.name
    means = [
        add("AveragePool", [value], f"{base}_{part}", [*size[:2], 1, 1], kernel_shape=size[2:])
        for part, (value, size) in enumerate(zip(sources, sizes, strict=True))
    ]
    total = sum(size[1] for size in sizes)
    joined = add("Concat", means, f"{base}_concat", [batch, total, 1, 1], axis=CHANNELS)
    low, high, sixth = (
        new_constant(graph, f"{base}_{name}", np.full(shape, value, np.float32))
        for name, value, shape in (("low", 0, ()), ("high", SIX, ()), ("sixth", 1 / SIX, (1,) * 4))
    )
    result, first = [], 0
    for part, (value, size) in enumerate(zip(sources, sizes, strict=True)):
        rows, shape = slice(first, first + size[1]), [batch, size[1], 1, 1]
        first += size[1]
        name = f"{found.convolution.name}_{part}"
        kernel = new_constant(graph, f"{name}_weight", weight[rows].astype(np.float32))
        offset = new_constant(graph, f"{name}_bias", (bias[rows] + SIX * beta).astype(np.float32))
        gate = add("Conv", [joined, kernel, offset], name, shape)
        gate = add("Clip", [gate, low, high], f"{found.gate.name}_{part}", shape)
        gate = add("Mul", [gate, sixth], f"{found.gate.name}_{part}_sixth", shape)
        result.append(add("Mul", [value, gate], f"{found.product.name}_{part}", list(size)))
    return result
