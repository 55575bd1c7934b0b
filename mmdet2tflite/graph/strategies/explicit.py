"""``explicit``: the graph as it is; where TensorFlow pads otherwise, a PAD operator stays."""

import onnx_ir as ir

from mmdet2tflite.graph.padding_mode import choose_and_write, choose_explicit
from mmdet2tflite.graph.rewriting import Rewriting
from mmdet2tflite.graph.window_operators import find_window_operators


def rewrite(model: ir.Model) -> Rewriting:
    """VALID or SAME where either computes the same numbers, pads elsewhere."""
    return Rewriting(model, choose_and_write(find_window_operators(model.graph), choose_explicit))
