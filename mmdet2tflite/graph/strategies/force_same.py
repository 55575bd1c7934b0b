"""``force_same``: SAME everywhere, the wrong numbers. For measuring what that costs, nothing else.

This is what one gets by setting every convolution of the converted network to SAME: a stride-2
convolution on an even size then reads one row and one column further down than it was trained to.
"""

import onnx_ir as ir

from mmdet2tflite.graph.padding_mode import choose_and_write, choose_forced
from mmdet2tflite.graph.rewriting import Rewriting
from mmdet2tflite.graph.window_operators import find_window_operators


def rewrite(model: ir.Model) -> Rewriting:
    """SAME wherever it has the right number of outputs; a PAD stays only where it has not."""
    return Rewriting(model, choose_and_write(find_window_operators(model.graph), choose_forced))
