"""The base of the canonical form's passes: a pass that says what it did."""

from abc import abstractmethod

import onnx_ir as ir
from onnx_ir.passes import InPlacePass, PassResult

from mmdet2tflite.graph.edit import describe


class ReportingPass(InPlacePass):
    """An in-place pass; its sentences name the nodes that it changed, or left and why.

    Attributes:
        sentences: of the last call, in the graph's order.
    """

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self._modified = False

    def call(self, model: ir.Model) -> PassResult:
        """Rewrite the model. Raises what ``rewrite`` raises."""
        self.sentences, self._modified = [], False
        self.rewrite(model)
        return PassResult(model, self._modified)

    @abstractmethod
    def rewrite(self, model: ir.Model) -> None:
        """Change the model's graph; say so by ``changed`` and ``left``."""

    def changed(self, sentence: str = "") -> None:
        """The graph is another one now; what happened, where that is worth a sentence."""
        self._modified = True
        if sentence:
            self.sentences.append(sentence)

    def left(self, node: ir.Node, reason: str) -> None:
        """The node is of the kind that the pass changes, but this one is left alone."""
        self.sentences.append(f"left {describe(node)} as it is: {reason}")
