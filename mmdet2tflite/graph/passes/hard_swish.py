"""Hard swish, which older opsets write as a product, becomes the one operator that TFLite has."""

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import describe, is_op, new_node, readers, redirect, shape_of
from mmdet2tflite.graph.passes.reporting import ReportingPass

ALPHA, BETA = np.float32(1 / 6), np.float32(0.5)
FIRST_OPSET = 14


class FuseHardSwish(ReportingPass):
    """x · HardSigmoid(x) → HardSwish(x).

    1. HardSigmoid has alpha = 1/6 and beta = 1/2 in float32; ONNX's defaults are 0.2 and 1/2.
    2. Nothing but the product reads it, and it is no graph output: else nothing would be saved.
    3. A model of opset 13 becomes one of opset 14, the first that has HardSwish. No operator of
       the canonical form means anything else there.

    Source: ONNX operator specification, HardSwish. Converters write HardSigmoid as several
    operators: four in place of one for every activation of a MobileNetV3.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            sigmoid = _hard_sigmoid_of(node)
            if sigmoid is None:
                continue
            source, output = sigmoid.inputs[0], node.outputs[0]
            fused = new_node(
                "HardSwish",
                [source],
                name=f"{node.name}_hard_swish",
                like=output,
                shape=shape_of(output),
            )
            model.graph.insert_before(node, fused)
            redirect(output, fused.outputs[0])
            self.changed(f"wrote {describe(sigmoid)} and {describe(node)} as one HardSwish")
            model.graph.remove([node, sigmoid], safe=True)
            model.opset_imports[""] = max(model.opset_imports[""], FIRST_OPSET)


def _hard_sigmoid_of(product: ir.Node) -> ir.Node | None:
    """The HardSigmoid whose input the product multiplies it with, by rules 1 and 2."""
    if not is_op(product, "Mul"):
        return None
    for gate, value in (product.inputs, product.inputs[::-1]):
        assert gate is not None
        node = gate.producer()
        if (
            node is not None
            and is_op(node, "HardSigmoid")
            and node.inputs[0] is value
            and _factor(node, "alpha", 0.2) == ALPHA
            and _factor(node, "beta", 0.5) == BETA
            and list(readers(gate)) == [product]
            and not gate.is_graph_output()
        ):
            return node
    return None


def _factor(node: ir.Node, name: str, default: float) -> np.float32:
    attribute = node.attributes.get(name)
    return np.float32(default if attribute is None else attribute.as_float())
