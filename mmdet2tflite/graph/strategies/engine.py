"""``engine``: SAME in the file, the true pads beside it, for an engine that honours the flag.

On such an engine the numbers are exact. Stock LiteRT does not know the flag and computes what
``force_same`` computes (docs/engine-flag.md).
"""

import onnx_ir as ir

from mmdet2tflite.graph.rewriting import Decision, Rewriting
from mmdet2tflite.graph.treatment import choose_explicit, choose_forced, settle_all
from mmdet2tflite.graph.window_operators import WindowKind, WindowOperator, find_window_operators


def rewrite(model: ir.Model) -> Rewriting:
    """Convolutions forced to SAME, to be flagged; poolings as in ``explicit``."""
    return Rewriting(model, settle_all(find_window_operators(model.graph), _choose))


def _choose(window: WindowOperator) -> Decision:
    return (
        choose_forced(window)
        if window.kind == WindowKind.CONV and window.widenable
        else choose_explicit(window)
    )
