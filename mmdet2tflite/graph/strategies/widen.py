"""``widen``: exact and not rotated, without PAD, for some multiplications by zero.

A kernel is embedded in a larger one with zeros, such that SAME of the larger kernel pads as the
small one was padded: 3x3 with stride 2 on an even size becomes 4x4 with a last row and column of
zeros (``geometry.Axis.widening`` has the arithmetic).
"""

import onnx_ir as ir

from mmdet2tflite.graph.padding_mode import choose_and_write, choose_widened
from mmdet2tflite.graph.rewriting import Rewriting
from mmdet2tflite.graph.window_operators import find_window_operators


def rewrite(model: ir.Model) -> Rewriting:
    """Widen the convolutions that need it; a PAD stays where no widening exists."""
    return Rewriting(model, choose_and_write(find_window_operators(model.graph), choose_widened))
