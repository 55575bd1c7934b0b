"""The plan: for every window operator what SAME would compute, and what each strategy would do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from mmdet2tflite.config.names import PaddingName
from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.canonical import Change
from mmdet2tflite.graph.padding_mode import choose_explicit
from mmdet2tflite.graph.rewriting import PaddingDecision, PaddingMode, Rewriting
from mmdet2tflite.graph.strategies.table import STRATEGIES
from mmdet2tflite.graph.window_operators import WindowOperator, find_window_operators


@dataclass(frozen=True)
class Outlook:
    """What one strategy would do with a model, or why it refuses."""

    strategy: PaddingName
    rewriting: Rewriting | None
    refusal: str = ""


@dataclass(frozen=True)
class Plan:
    """Every window operator of a canonical graph, and every strategy's outlook."""

    windows: tuple[WindowOperator, ...]
    outlooks: tuple[Outlook, ...]

    @property
    def recommended(self) -> str:
        """What ``auto`` chose."""
        chosen = [outlook.rewriting.chosen for outlook in self.outlooks if outlook.rewriting]
        return next(name for name in chosen if name)


def make_plan(model: ir.Model) -> Plan:
    """Try every strategy on a copy of a canonical model."""
    outlooks = tuple(_outlook(name, model) for name in STRATEGIES)
    return Plan(tuple(find_window_operators(model.graph)), outlooks)


def _outlook(name: PaddingName, model: ir.Model) -> Outlook:
    try:
        return Outlook(name, STRATEGIES[name].rewrite(model.clone()))
    except ModelError as refusal:
        return Outlook(name, None, refusal.found)


def describe_plan(plan: Plan) -> dict[str, Any]:
    """The plan as JSON."""
    by_strategy = {
        outlook.strategy: {d.window.name: d for d in outlook.rewriting.decisions}
        for outlook in plan.outlooks
        if outlook.rewriting
    }
    return {
        "recommended": plan.recommended,
        "strategies": {o.strategy: _describe_outlook(o) for o in plan.outlooks},
        "sites": [
            {
                **describe_window_operator(window),
                "same": choose_explicit(window).padding_mode != PaddingMode.PAD,
                "strategies": {
                    name: _describe_padding_mode(decisions[window.name])
                    for name, decisions in by_strategy.items()
                },
            }
            for window in plan.windows
        ],
    }


def describe_window_operator(window: WindowOperator) -> dict[str, Any]:
    """Geometry as it stands in the graph; each pair is rows, columns."""
    per_axis: dict[str, Callable[[Any], Any]] = {
        "input": lambda axis: axis.size,
        "output": lambda axis: axis.output,
        "kernel": lambda axis: axis.kernel,
        "stride": lambda axis: axis.stride,
        "dilation": lambda axis: axis.dilation,
        "pads": lambda axis: [axis.begin, axis.end],
        "effective_pads": lambda axis: [axis.begin, axis.effective_end],
        "crop": lambda axis: axis.crop,
    }
    pairs = {name: [get(axis) for axis in window.axes] for name, get in per_axis.items()}
    return {
        "name": window.name,
        "operator": str(window.kind),
        **pairs,
        "multiplications": window.multiplications,
    }


def describe_rewriting(
    strategy: PaddingName, rewriting: Rewriting, changes: Sequence[Change]
) -> dict[str, Any]:
    """What plan.json holds: what was done to a graph, from the canonical form to every window."""
    return {
        "strategy": strategy,
        "reasons": rewriting.reasons,
        "canonical": [sentence for change in changes for sentence in change.sentences],
        "reversals": rewriting.inner_flips,
        "convolutions": [describe_decision(decision) for decision in rewriting.decisions],
    }


def describe_decision(decision: PaddingDecision) -> dict[str, Any]:
    """One window operator of a rewritten graph, with what was done to it."""
    return {**describe_window_operator(decision.window), **_describe_padding_mode(decision)}


def _describe_padding_mode(decision: PaddingDecision) -> dict[str, Any]:
    found: dict[str, Any] = {"treatment": str(decision.padding_mode)}
    if decision.padding_mode == PaddingMode.WIDENED:
        found["zero_taps"] = [list(widening) for widening in decision.widening]
        found["extra_multiplications"] = decision.extra_multiplications
    if decision.reason:
        found["reason"] = decision.reason
    return found


def _describe_outlook(outlook: Outlook) -> dict[str, Any]:
    strategy, rewriting = STRATEGIES[outlook.strategy], outlook.rewriting
    found: dict[str, Any] = {"summary": strategy.summary, "exact": strategy.exact}
    if rewriting is None:
        return {**found, "refused": outlook.refusal}
    if rewriting.chosen:
        found |= {"chosen": rewriting.chosen, "reasons": list(rewriting.reasons)}
    return {
        **found,
        "pads": rewriting.pads,
        "extra_multiplications": rewriting.extra_multiplications,
        "reversals_inside": list(rewriting.inner_flips),
    }
