"""``engine``: SAME in the file, the true pads beside it, for a backend that honours the flag.

On such a backend the numbers are exact. Stock LiteRT does not know the flag and computes what
``force_same`` computes (docs/engine-flag.md).
"""

import onnx_ir as ir

from mmdet2tflite.graph.padding_mode import choose_and_write, choose_explicit, choose_forced
from mmdet2tflite.graph.rewriting import PaddingDecision, Rewriting
from mmdet2tflite.graph.window_operators import WindowKind, WindowOperator, find_window_operators


def rewrite(model: ir.Model) -> Rewriting:
    """Convolutions forced to SAME, to be flagged; poolings as in ``explicit``."""
    return Rewriting(model, choose_and_write(find_window_operators(model.graph), _choose))


def _choose(window: WindowOperator) -> PaddingDecision:
    return (
        choose_forced(window)
        if window.kind == WindowKind.CONV and window.widenable
        else choose_explicit(window)
    )
