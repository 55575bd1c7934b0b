"""Decides, value by value, along which axes the rewritten graph holds it flipped.

1. Inputs of rank 4 are flipped along rows and columns (axes of size 1 have no direction).
2. An operator whose inputs are all unflipped stays as it is.
3. Otherwise its rule decides. A refusal says how the inputs would have to be held; without a rule,
   unflipped. They are flipped so and the operator is asked again; with unflipped inputs it
   computes at the latest.
4. A value is flipped once: who else wants it so takes the same copy, and who wants it as it was
   takes the original. Of all copies, the one with the fewest axes to flip is flipped.
5. An axis along which a value repeats itself (Expand, Tile and Resize from size 1) has any
   direction, and is never flipped.
6. An output may stay flipped if it has rank 4 and is flipped along exactly those of rows and
   columns that have more than one position. Any other is flipped back.

Nothing is written here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import onnx_ir as ir

from mmdet2tflite.graph.edit import is_op, shape_of, string
from mmdet2tflite.graph.inputs import spatial_axes
from mmdet2tflite.graph.rotation.rule import (
    SPATIAL,
    UNFLIPPED,
    Axes,
    Flipped,
    Operation,
    Rule,
)
from mmdet2tflite.graph.rotation.rules_resize import CROPPING
from mmdet2tflite.graph.rotation.table import RULES


class Copy(NamedTuple):
    """A value as held along some axes; the original ``value`` names what it holds."""

    value: ir.Value
    axes: Axes


class Flip(NamedTuple):
    """How a copy is made: one axis of another copy is flipped."""

    source: Copy
    axis: int


@dataclass(frozen=True)
class Step:
    """One operator: which copy of each input it takes, and what changes in it."""

    inputs: tuple[Copy | None, ...]
    answer: Flipped


class RotationPlan:
    """The plan of a canonical graph.

    Attributes:
        steps: of every operator, in the graph's order.
        flips: how each copy is made that no operator gives by itself.
        outputs: the copy that each graph output is.
        rotated_outputs: names of the outputs that stay flipped.
        inner_flips: one sentence for every value that is flipped: which, where and why.
    """

    def __init__(self, graph: ir.Graph) -> None:
        self.steps: dict[ir.Node, Step] = {}
        self.flips: dict[Copy, Flip] = {}
        self.inner_flips: list[str] = []
        self._held: dict[ir.Value, Axes] = {}
        self._copies: dict[ir.Value, list[Axes]] = {}
        self._repeated: dict[ir.Value, Axes] = {}
        for value in graph.inputs:
            self._hold(value, frozenset(spatial_axes(value) or ()))
        for node in graph:
            self._visit(node)
        self.rotated_outputs = tuple(
            str(output.name) for output in graph.outputs if self._may_stay_flipped(output)
        )
        self.outputs = [
            Copy(output, self._held[output])
            if output.name in self.rotated_outputs
            else self._flip_to(output, UNFLIPPED, "at the graph's output")
            for output in graph.outputs
        ]

    def held(self, value: ir.Value | None) -> Axes:
        """The axes along which a value is flipped where it is computed."""
        return UNFLIPPED if value is None else self._held.get(value, UNFLIPPED)

    def _hold(self, value: ir.Value, axes: Axes) -> None:
        shape = shape_of(value)
        self._held[value] = frozenset(axis for axis in axes if shape[axis] > 1)

    def _visit(self, node: ir.Node) -> None:
        self._repeated.update(_repeated_axes(node))
        flipped = tuple(self.held(value) for value in node.inputs)
        answer, reasons = Flipped(UNFLIPPED), []
        rule = RULES.get(node.op_type) if is_op(node, node.op_type) else None
        while any(flipped):
            found, flipped, reason = self._ask(node, rule, flipped)
            if found:
                answer = found
                break
            reasons.append(reason)
        where = f"before {node.name} ({node.op_type}), which {'; '.join(reasons)}"
        copies = tuple(
            None if value is None else self._flip_to(value, axes, where)
            for value, axes in zip(node.inputs, flipped, strict=True)
        )
        self.steps[node] = Step(copies, answer)
        if answer.output:
            for output in node.outputs:
                self._hold(output, answer.output)
        for value, axes in answer.later.items():
            self._hold(value, axes)

    def _ask(
        self, node: ir.Node, rule: Rule | None, flipped: tuple[Axes, ...]
    ) -> tuple[Flipped | None, tuple[Axes, ...], str]:
        """The rule's answer, or how to hold the inputs before it is asked again, and why."""
        unflipped = tuple(UNFLIPPED for _ in flipped)
        if rule is None:
            return None, unflipped, "has no mirrored form"
        answer = rule(Operation(node, flipped, lambda i, axes: self._cost(node.inputs[i], axes)))
        if isinstance(answer, Flipped):
            return answer, flipped, ""
        return None, unflipped if answer.wanted is None else tuple(answer.wanted), answer.reason

    def _cost(self, value: ir.Value | None, wanted: Axes) -> int:
        """Axes that are still to be flipped to have the value so."""
        if value is None:
            return 0
        wanted -= self._repeated.get(value, UNFLIPPED)
        return min(len(axes ^ wanted) for axes in self._known(value))

    def _flip_to(self, value: ir.Value, wanted: Axes, where: str) -> Copy:
        """The copy that is held so; planned if there is none (rule 4)."""
        wanted -= self._repeated.get(value, UNFLIPPED)
        known = self._known(value)
        if wanted not in known:
            self.inner_flips.append(f"{value.name}, {where}")
            axes = min(known, key=lambda axes: len(axes ^ wanted))
            for axis in sorted(axes ^ wanted):
                source, axes = Copy(value, axes), axes ^ {axis}
                known.append(axes)
                self.flips[Copy(value, axes)] = Flip(source, axis)
        return Copy(value, wanted)

    def _known(self, value: ir.Value) -> list[Axes]:
        return self._copies.setdefault(value, [self.held(value)])

    def _may_stay_flipped(self, output: ir.Value) -> bool:
        """Rule 6."""
        held = self.held(output)
        if not held:
            return False
        shape = shape_of(output)
        return len(shape) == 4 and held == {axis for axis in SPATIAL if shape[axis] > 1}


def _repeated_axes(node: ir.Node) -> Mapping[ir.Value, Axes]:
    """Rule 5: axes of the output that had size 1 in the input, or were not there."""
    if not is_op(node, "Expand", "Resize", "Tile"):
        return {}
    if string(node, "coordinate_transformation_mode", "") == CROPPING:
        return {}
    value = node.inputs[0]
    assert value is not None
    output = node.outputs[0]
    after = shape_of(output)
    before = (1,) * (len(after) - len(shape_of(value))) + shape_of(value)
    pairs = enumerate(zip(before, after, strict=True))
    return {output: frozenset(axis for axis, (old, new) in pairs if old == 1 < new)}
