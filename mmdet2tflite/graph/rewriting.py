"""What a padding strategy returns: a rewritten graph, and what it decided at every site."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import onnx_ir as ir

from mmdet2tflite.graph.edit import integers, is_op
from mmdet2tflite.graph.geometry import Widening
from mmdet2tflite.graph.sites import WINDOWS, Site


class Treatment(StrEnum):
    """How a site is written, so that every converter understands it."""

    VALID = "VALID"
    """No padding at all."""
    SAME = "SAME"
    """``auto_pad=SAME_UPPER``, which computes the very same numbers."""
    WIDENED = "widened"
    """SAME of a larger kernel with zero taps: the same numbers, some multiplications more."""
    PAD = "PAD"
    """Explicit pads, which become a PAD before a VALID operator; on a mirrored axis, a crop."""
    FORCED = "forced SAME"
    """SAME although it computes something else."""


@dataclass(frozen=True)
class Decision:
    """One site as it was rewritten.

    Args:
        site: its geometry in the rewritten graph (after a mirror, the mirrored one).
        treatment: how it is written.
        widening: zero taps added to height and width.
        extra_multiplications: of one inference, for the zero taps.
        reason: why it is not simply VALID or SAME.
    """

    site: Site
    treatment: Treatment
    widening: tuple[Widening, Widening] = (Widening(0, 0), Widening(0, 0))
    extra_multiplications: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Rewriting:
    """A graph that a converter turns into a TFLite file with exactly ``pads`` PAD operators.

    Args:
        model: the rewritten graph; input and output names are those of the original.
        decisions: one for every site, in the graph's order.
        rotated_input: the graph wants its input reversed along height and width.
        rotated_outputs: outputs that come out reversed along height and width.
        reversals: values that the graph itself reverses inside, with the reason for each.
        chosen: the strategy that ``auto`` took; empty for the others.
        reasons: what each candidate of ``auto`` would have cost.
    """

    model: ir.Model
    decisions: tuple[Decision, ...]
    rotated_input: bool = False
    rotated_outputs: tuple[str, ...] = ()
    reversals: tuple[str, ...] = ()
    chosen: str = ""
    reasons: tuple[str, ...] = ()

    @property
    def pads(self) -> int:
        """PAD operators that the converted file will have."""
        return sum(
            is_op(node, "Pad") or (is_op(node, *WINDOWS) and any(integers(node, "pads", ())))
            for node in self.model.graph
        )

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
        exact: it promises the original's numbers within float32 rounding.
        upright: the finished file takes and gives upright maps, whatever the graph inside does.
        summary: one sentence for ``--help`` and reports.
    """

    rewrite: Rewrite
    exact: bool
    summary: str
    upright: bool = True
