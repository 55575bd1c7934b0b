"""What a padding strategy returns: a rewritten graph, and a decision for every window operator."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import onnx_ir as ir

from mmdet2tflite.config.names import PaddingName
from mmdet2tflite.geometry import Widening
from mmdet2tflite.graph.edit import integers, is_op, string
from mmdet2tflite.graph.window_operators import WINDOW_OPERATORS, WindowOperator
from mmdet2tflite.passport import Rotation

NOT_ROTATED = Rotation(input=False, outputs=())
PAD_MODES = ("constant", "reflect")
"""What TensorFlow Lite has operators for; other modes of ``Pad`` become slices and concatenations.
"""

PADDED_BY_CONVERTERS = ("GridSample",)


class PaddingMode(StrEnum):
    """How a window operator is written, so that every converter understands it."""

    VALID = "VALID"
    """No padding at all."""
    SAME = "SAME"
    """``auto_pad=SAME_UPPER``, which computes the very same numbers."""
    WIDENED = "widened"
    """SAME of a larger kernel with zero taps: the same numbers, some multiplications more."""
    PAD = "PAD"
    """Explicit pads, which become a PAD before a VALID operator."""
    CROPPED = "cropped"
    """A Slice before a VALID operator: a flipped axis skips its first rows."""
    FORCED = "forced SAME"
    """SAME although it computes something else."""


@dataclass(frozen=True)
class PaddingDecision:
    """One window operator as it was rewritten.

    Args:
        window: its geometry in the rewritten graph (flipped, where that is rotated).
        padding_mode: how it is written.
        widening: zero taps added to height and width.
        extra_multiplications: of one inference, for the zero taps.
        reason: why it is not simply VALID or SAME.
    """

    window: WindowOperator
    padding_mode: PaddingMode
    widening: tuple[Widening, Widening] = (Widening(0, 0), Widening(0, 0))
    extra_multiplications: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Rewriting:
    """A graph that a converter turns into a TFLite file with exactly ``pads`` PAD operators.

    Args:
        model: the rewritten graph; input and output names are those of the original.
        decisions: one for every window operator, in the graph's order.
        rotation: which of its input and outputs the graph has rotated by 180°.
        inner_flips: values that the graph itself flips inside, with the reason for each.
        chosen: the strategy that ``auto`` took; None for the others.
        reasons: what each candidate of ``auto`` would have cost.
    """

    model: ir.Model
    decisions: tuple[PaddingDecision, ...]
    rotation: Rotation = NOT_ROTATED
    inner_flips: tuple[str, ...] = ()
    chosen: PaddingName | None = None
    reasons: tuple[str, ...] = ()

    @property
    def pads(self) -> int:
        """PAD operators that the converted file will have, for all windows over two axes."""
        return sum(
            (is_op(node, "Pad") and string(node, "mode", "constant") in PAD_MODES)
            or (is_op(node, *WINDOW_OPERATORS) and any(integers(node, "pads", ())))
            for node in self.model.graph
        )

    @property
    def most_pads(self) -> int:
        """PAD operators that the converted file may have: converters write some of their own."""
        return self.pads + sum(is_op(node, *PADDED_BY_CONVERTERS) for node in self.model.graph)

    @property
    def extra_multiplications(self) -> int:
        """Of one inference, over those of the original."""
        return sum(decision.extra_multiplications for decision in self.decisions)


type Rewrite = Callable[[ir.Model], Rewriting]
"""Takes a canonical model of its own, which it may change, and returns it rewritten. Raises
ModelError where the strategy refuses."""


@dataclass(frozen=True)
class Strategy:
    """One line of the table in ``strategies/table.py``.

    Args:
        rewrite: the function in the strategy's file.
        summary: one sentence for ``--help`` and reports.
        exact: it keeps the original's numbers within float32 rounding.
        rotated_file: the finished file takes and gives rotated maps; otherwise it rotates those of
            a rotated graph back.
        flagged: it is exact on a backend that honours the flags in the metadata; the graph alone
            computes something else.
    """

    rewrite: Rewrite
    summary: str
    exact: bool = True
    rotated_file: bool = False
    flagged: bool = False

    @property
    def exact_in_onnx(self) -> bool:
        """The rewritten graph itself computes the original's numbers."""
        return self.exact and not self.flagged


def true_pads(rewriting: Rewriting) -> dict[str, tuple[int, int, int, int]]:
    """Top, bottom, left, right of every convolution that was forced to SAME, by name."""
    return {
        decision.window.name: (
            decision.window.height.begin,
            decision.window.height.effective_end,
            decision.window.width.begin,
            decision.window.width.effective_end,
        )
        for decision in rewriting.decisions
        if decision.padding_mode == PaddingMode.FORCED
    }
