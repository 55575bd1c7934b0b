"""What no output depends on goes."""

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from mmdet2tflite.graph.edit import describe
from mmdet2tflite.graph.passes.reporting import ReportingPass


class RemoveUnused(ReportingPass):
    """Dead nodes and initializers.

    1. A node none of whose outputs is read or is a graph output goes.
    2. An initializer that nothing reads goes.
    3. A graph input stays, read or not.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        before = [(node, describe(node)) for node in model.graph]
        if RemoveUnusedNodesPass().call(model).modified:
            self.changed()
        for node, name in before:
            if node.graph is None:
                self.changed(f"removed {name}, which nothing reads")
