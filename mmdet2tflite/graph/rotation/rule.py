"""What a rule of the rotation is told, and what it answers.

A rule answers for one operator: given the axes along which its inputs are flipped, can it compute
its outputs flipped along some axes, and what must change in the node for that? It reads shapes,
attributes and constants, and changes nothing itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps

import onnx_ir as ir

from mmdet2tflite.graph.edit import Array, constant, shape_of

type Axes = frozenset[int]
"""Axes along which a value is flipped; never one of size 1."""

UNFLIPPED: Axes = frozenset()
SPATIAL: Axes = frozenset({2, 3})


@dataclass(frozen=True)
class Operation:
    """One operator and how its inputs are held.

    Args:
        node: the operator; its inputs are the original ones.
        flipped: per input the axes along which it is flipped; none where it is absent or constant.
        cost: how many flips it takes to hold an input along other axes; argument: its index.
    """

    node: ir.Node
    flipped: tuple[Axes, ...]
    cost: Callable[[int, Axes], int]

    def shape(self, index: int) -> tuple[int, ...]:
        """The static shape of an input."""
        value = self.node.inputs[index]
        assert value is not None
        return shape_of(value)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The static shape of the first output."""
        return shape_of(self.node.outputs[0])

    def has(self, index: int) -> bool:
        """Whether there is an input of this index."""
        return index < len(self.node.inputs) and self.node.inputs[index] is not None

    def constant(self, index: int) -> Array | None:
        """The array of a constant input; None where it is computed or absent."""
        return constant(self.node.inputs[index]) if self.has(index) else None

    def is_computed(self, index: int) -> bool:
        """Whether there is an input of this index that is no constant."""
        return self.has(index) and constant(self.node.inputs[index]) is None


@dataclass(frozen=True)
class Flipped:
    """The operator computes its outputs flipped.

    Args:
        output: the axes along which every output is flipped (on those of its size 1: nothing).
        flips: constants to flip: index of the input, and axes.
        constants: new constants in the place of others, or of absent ones, by index of the input.
        attributes: attributes to set; None removes one.
        later: outputs of operators further on that are flipped although their inputs are not.
        backwards: which list is in reverse order: ``inputs`` (Concat) or ``outputs`` (Split).
    """

    output: Axes
    flips: Mapping[int, Axes] = field(default_factory=dict)
    constants: Mapping[int, Array] = field(default_factory=dict)
    attributes: Mapping[str, ir.Attr | None] = field(default_factory=dict)
    later: Mapping[ir.Value, Axes] = field(default_factory=dict)
    backwards: str = ""


@dataclass(frozen=True)
class Refused:
    """The operator cannot compute with its inputs as they are held.

    Args:
        reason: what it does; follows "before <node>, which".
        wanted: per input the axes along which it could be held; None: all inputs unflipped.
    """

    reason: str
    wanted: Sequence[Axes] | None = None


type Answer = Flipped | Refused
type Rule = Callable[[Operation], Answer]


def of_first_input(rule: Rule) -> Rule:
    """A rule for operators whose first input may be flipped, the others not."""

    @wraps(rule)
    def checked(operation: Operation) -> Answer:
        first, *others = operation.flipped
        if any(others):
            wanted = (first, *(UNFLIPPED for _ in others))
            return Refused("needs its parameters upright", wanted)
        return rule(operation)

    return checked


def keep(operation: Operation, axes: Axes, reason: str) -> Refused:
    """The refusal of a rule that can take its first input flipped along these axes only."""
    return Refused(reason, (axes, *operation.flipped[1:]))
