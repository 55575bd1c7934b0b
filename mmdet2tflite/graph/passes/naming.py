"""Names: every node and every value has one of its own."""

import onnx_ir as ir
from onnx_ir.passes import PostconditionError
from onnx_ir.passes.common import NameFixPass

from mmdet2tflite.graph.passes.reporting import ReportingPass


class NameNodes(ReportingPass):
    """Unique, non-empty names.

    1. A node without a name is called after its operator.
    2. A name that an earlier node or value has gets a number.
    3. Graph inputs and outputs keep their names.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        before = [(node, node.name) for node in model.graph]
        if NameFixPass(_AfterOperator()).call(model).modified:
            self.changed()
        for node, name in before:
            if node.name != name:
                self.changed(f"named {node.op_type} {node.name}, formerly {name or 'nameless'}")

    def ensures(self, model: ir.Model) -> None:
        """Every node has a name of its own."""
        names = [node.name for node in model.graph]
        if len(set(names)) < len(names) or not all(names):
            raise PostconditionError("a node has no name, or that of another")


class _AfterOperator:
    """The names that ``NameFixPass`` starts from (rule 1)."""

    def generate_node_name(self, node: ir.Node) -> str:
        return node.name or node.op_type

    def generate_value_name(self, value: ir.Value) -> str:
        return value.name or "value"
