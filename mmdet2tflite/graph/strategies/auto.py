"""``auto``: per model the cheapest exact strategy, with its reasons.

1. The fewest PADs win.
2. Then the fewest flips and crops inside the graph, which cost a pass over a map each.
3. Then the least extra work: multiplications by the zeros of ``widen``, against the values that
   ``mirror`` moves to rotate input and outputs. Moving one counts as MOVE_COST multiplications.
4. Then the order ``explicit``, ``widen``, ``mirror``: what changes the graph least.

``tf_train`` is no candidate of its own: on a network that it takes, ``explicit`` has no PAD and
writes the same graph.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import onnx_ir as ir

from mmdet2tflite.config.names import PaddingName
from mmdet2tflite.graph.edit import shape_of
from mmdet2tflite.graph.rewriting import PaddingMode, Rewrite, Rewriting
from mmdet2tflite.graph.strategies import explicit, mirror, widen

MOVE_COST = 8

CANDIDATES: Mapping[PaddingName, Rewrite] = {
    "explicit": explicit.rewrite,
    "widen": widen.rewrite,
    "mirror": mirror.rewrite,
}


def rewrite(model: ir.Model) -> Rewriting:
    """Try each candidate on a copy, and take the cheapest."""
    return rewritings(model)[0]


def rewritings(model: ir.Model) -> list[Rewriting]:
    """What every candidate makes of a copy of the model, the cheapest first."""
    found = {name: candidate(model.clone()) for name, candidate in CANDIDATES.items()}
    reasons = tuple(f"{name}: {_describe(rewriting)}" for name, rewriting in found.items())
    return [
        replace(found[name], chosen=name, reasons=reasons)
        for name in sorted(found, key=lambda name: _cost(found[name]))
    ]


def _cost(rewriting: Rewriting) -> tuple[int, int, int]:
    extra = rewriting.extra_multiplications + MOVE_COST * _values_rotated(rewriting)
    return rewriting.pads, len(rewriting.inner_flips) + _crops(rewriting), extra


def _describe(rewriting: Rewriting) -> str:
    total = sum(decision.window.multiplications for decision in rewriting.decisions)
    words = [f"{rewriting.pads} PAD"]
    if rewriting.extra_multiplications:
        words.append(f"{rewriting.extra_multiplications / total:.1%} more multiplications")
    if moved := _values_rotated(rewriting):
        words.append(f"{moved} values reversed at input and outputs")
    if rewriting.inner_flips:
        words.append(f"{len(rewriting.inner_flips)} reversals inside")
    if crops := _crops(rewriting):
        words.append(f"{crops} crops inside")
    return ", ".join(words)


def _crops(rewriting: Rewriting) -> int:
    return sum(decision.padding_mode == PaddingMode.CROPPED for decision in rewriting.decisions)


def _values_rotated(rewriting: Rewriting) -> int:
    graph, rotation = rewriting.model.graph, rewriting.rotation
    values = list(graph.inputs) if rotation.input else []
    values += [output for output in graph.outputs if output.name in rotation.outputs]
    return sum(prod(shape_of(value)) for value in values)
