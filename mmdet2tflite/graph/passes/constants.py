"""Constants are computed, shapes are static, control flow is gone."""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import PostconditionError

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.edit import (
    Array,
    constant,
    cut_before,
    describe,
    integer,
    is_op,
    new_constant,
    static_shape,
)
from mmdet2tflite.graph.evaluation import evaluate
from mmdet2tflite.graph.inference import constant_elements, infer_shapes
from mmdet2tflite.graph.passes.control_flow import ControlFlow, refusal
from mmdet2tflite.graph.passes.reporting import ReportingPass

RANDOM = (
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
)
"""Operators that give other numbers every time."""
MOST_COMPUTED = 2**26
"""Elements of all constants that are computed, where the file's own are not more."""
TIMES_FILE = 8
"""As many elements as the file has may be computed so often: transposed, cast, reshaped …"""


class FoldConstants(ReportingPass):
    """One walk in topological order; the graph input is static, so everything after it can be.

    1. A ``Constant`` becomes an initializer.
    2. ``Shape`` and ``Size`` of a value with a static shape become initializers.
    3. A node whose inputs are all constant is computed; its outputs become initializers.
    4. ``If`` with a constant condition is replaced by the nodes of the branch taken, ``Loop`` with
       constant ones and ``Scan`` by their bodies, as often as they run (``control_flow.py``).
    5. Of any other node the shapes of the outputs are inferred anew.
    6. A graph output stays the output of a node.
    7. What rule 3 computes is bounded: a few bytes can ask for more than any memory holds.

    Raises:
        ModelError: control flow that is not constant, the first value without a static shape, or
            constants that are too large.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        graph, opset = model.graph, model.opset_imports[""]
        control_flow = ControlFlow(graph)
        own = sum(v.const_value.size for v in graph.initializers.values() if v.const_value)
        self._left = max(MOST_COMPUTED, TIMES_FILE * own)
        for node in graph:
            if is_op(node, "If"):
                name = control_flow.inline_branch(node)
                self.changed(f"replaced {describe(node)} by its {name}")
            elif is_op(node, "Loop"):
                times = control_flow.unroll_loop(node)
                self.changed("" if times is None else f"unrolled {describe(node)}: {times} times")
            elif is_op(node, "Scan"):
                times = control_flow.unroll_scan(node)
                self.changed(f"unrolled {describe(node)}: {times} times")
            elif any(True for _ in _subgraphs(node)):
                raise refusal(node, "If, Loop and Scan at most")
            elif (arrays := self._constants(node, opset)) is not None:
                self._replace(graph, node, arrays)
            else:
                infer_shapes(node, opset)
                _check_static(node)

    def ensures(self, model: ir.Model) -> None:
        """No node has a graph inside."""
        if any(True for node in model.graph for _ in _subgraphs(node)):
            raise PostconditionError("control flow is left")

    def _replace(self, graph: ir.Graph, node: ir.Node, arrays: list[Array]) -> None:
        for output, array in zip(node.outputs, arrays, strict=True):
            if output.name:
                output.replace_all_uses_with(new_constant(graph, output.name, array))
        # Rule 1 changes the form only; it is not worth a sentence.
        is_constant = is_op(node, "Constant")
        self.changed("" if is_constant else f"computed the constant {describe(node)}")
        graph.remove(node, safe=True)

    def _constants(self, node: ir.Node, opset: int) -> list[Array] | None:
        """What the node gives, where rules 1 to 3 hold."""
        # Rule 6.
        if any(output.is_graph_output() for output in node.outputs):
            return None
        if is_op(node, "Constant"):
            array = constant(node.outputs[0])
            return None if array is None else [array]
        if is_op(node, "Shape", "Size"):
            assert node.inputs[0] is not None
            shape = static_shape(node.inputs[0])
            if shape is None:
                return None
            if node.op_type == "Size":
                return [np.array(np.prod(shape, dtype=np.int64))]
            start, end = integer(node, "start", 0), integer(node, "end", len(shape))
            return [np.array(shape[start:end], np.int64)]
        inputs = [constant(value) for value in node.inputs if value is not None]
        if not inputs or any(array is None for array in inputs) or is_op(node, *RANDOM):
            return None
        self._take(node, constant_elements(node, opset))
        arrays = evaluate(node, opset)
        if not all(isinstance(array, np.ndarray | np.generic) for array in arrays):
            return None  # a sequence
        return arrays

    def _take(self, node: ir.Node, elements: int) -> None:
        """Rule 7."""
        self._left -= elements
        if self._left < 0:
            raise ModelError(
                f"{describe(node)} is constant and has {elements:,} elements",
                f"at most {MOST_COMPUTED:,} in constants that must be computed",
                "export the network with its constants computed, and without unused ones",
            )


def _subgraphs(node: ir.Node) -> Iterator[ir.Graph]:
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield attribute.as_graph()


def _check_static(node: ir.Node) -> None:
    for output in node.outputs:
        if output.name and static_shape(output) is None:
            raise ModelError(
                f"{describe(node)} gives {output.name} the shape {output.shape or 'unknown'}",
                "a static shape of every value",
                f"give --input-size if the model's is dynamic; otherwise {cut_before(node)}",
            )
