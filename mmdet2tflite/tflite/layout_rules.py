"""Which operators compute the same whatever the order of their axes, and what changes in them."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import constant, new_constant
from mmdet2tflite.tflite.moves import shape_of

type Order = tuple[int, ...]
"""Axis i of a tensor is axis ``order[i]`` of the one that is there in its place."""

POINTWISE = (
    *("ABS", "CAST", "CEIL", "COS", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU"),
    *("LOG", "LOGICAL_NOT", "LOGISTIC", "NEG", "RELU", "RELU6", "RELU_N1_TO_1", "ROUND", "RSQRT"),
    *("SIGN", "SIN", "SQRT", "SQUARE", "TANH"),
    *("ADD", "DIV", "EQUAL", "FLOOR_DIV", "FLOOR_MOD", "GREATER", "GREATER_EQUAL", "LESS"),
    *("LESS_EQUAL", "LOGICAL_AND", "LOGICAL_OR", "MAXIMUM", "MINIMUM", "MUL", "NOT_EQUAL", "POW"),
    *("PRELU", "SELECT_V2", "SQUARED_DIFFERENCE", "SUB"),
)
MASKS, UNKNOWN_MASKS = ("beginMask", "endMask"), ("ellipsisMask", "newAxisMask", "shrinkAxisMask")
MAP, MATRIX = 4, 2
"""Axes of each."""
REDUCTIONS = ("MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM")


@dataclass(frozen=True)
class Layout:
    """What a rule is told.

    Args:
        model: the file; constants may be added.
        order: of the axes of the operator's inputs and outputs.
        held: the tensor that is there in place of one, by its number; None if there is none.
    """

    model: schema.ModelT
    order: Order
    held: Callable[[int], int | None]

    def numbers(self, number: int) -> list[int] | None:
        """A constant list of numbers, such as axes."""
        values = constant(self.model, self.model.subgraphs[0].tensors[number])
        return None if values is None else [int(each) for each in values.ravel()]

    def shape(self, number: int) -> list[int]:
        """Of any tensor."""
        return shape_of(self.model.subgraphs[0], number)

    def new_numbers(self, values: Any) -> int:
        """A new constant of int32."""
        return new_constant(self.model, "in_order", np.array(values, np.int32))

    def axis(self, axis: int) -> int:
        """Where an axis is in the tensor that is there."""
        return self.order[axis % len(self.order)]


type Changed = tuple[list[int], Any]
"""The inputs of the operator, and its options; None: as they are."""
type Rule = Callable[[Layout, schema.OperatorT], Changed | None]


def permute[T](items: Sequence[T], order: Order) -> list[T]:
    """Item i is the old item ``order[i]``."""
    return [items[axis] for axis in order]


def inverse(order: Order) -> Order:
    """The order that takes an order back."""
    return tuple(int(axis) for axis in np.argsort(order))


def _pointwise(layout: Layout, operator: schema.OperatorT) -> Changed | None:
    inputs = [layout.held(int(number)) for number in operator.inputs]
    known = [number for number in inputs if number is not None]
    return (known, None) if len(known) == len(inputs) else None


def _concatenation(layout: Layout, operator: schema.OperatorT) -> Changed | None:
    changed = _pointwise(layout, operator)
    options = copy.copy(operator.builtinOptions)
    options.axis = layout.axis(options.axis)
    return changed and (changed[0], options)


def _reduction(layout: Layout, operator: schema.OperatorT) -> Changed | None:
    value, axes = layout.held(int(operator.inputs[0])), layout.numbers(int(operator.inputs[1]))
    if value is None or axes is None or not operator.builtinOptions.keepDims:
        return None
    return [value, layout.new_numbers([layout.axis(axis) for axis in axes])], None


def _softmax(layout: Layout, operator: schema.OperatorT) -> Changed | None:
    """Over the last axis, always."""
    last = len(layout.order) - 1
    return _pointwise(layout, operator) if layout.order[last] == last else None


def _pad(layout: Layout, operator: schema.OperatorT) -> Changed | None:
    value, table = layout.held(int(operator.inputs[0])), layout.numbers(int(operator.inputs[1]))
    if value is None or table is None:
        return None
    rows = permute(np.reshape(table, (-1, 2)).tolist(), inverse(layout.order))
    return [value, layout.new_numbers(rows), *map(int, operator.inputs[2:])], None


def _slice(layout: Layout, operator: schema.OperatorT) -> Changed | None:
    """SLICE and STRIDED_SLICE: lists with an entry, and masks with a bit, for each axis."""
    value = layout.held(int(operator.inputs[0]))
    lists = [layout.numbers(int(number)) for number in operator.inputs[1:]]
    options, back = copy.copy(operator.builtinOptions), inverse(layout.order)
    if value is None or any(getattr(options, mask, 0) for mask in UNKNOWN_MASKS):
        return None
    changed = [
        layout.new_numbers(permute(each, back))
        for each in lists
        if each is not None and len(each) == len(back)
    ]
    for mask in MASKS:
        bits = getattr(options, mask, 0)
        if bits:
            found = sum(1 << held for axis, held in enumerate(layout.order) if bits >> axis & 1)
            setattr(options, mask, found)
    return ([value, *changed], options) if len(changed) == len(lists) else None


def _split(layout: Layout, operator: schema.OperatorT) -> Changed | None:
    value, axis = layout.held(int(operator.inputs[1])), layout.numbers(int(operator.inputs[0]))
    if value is None or axis is None:
        return None
    return [layout.new_numbers(layout.axis(axis[0])), value], None


def _split_v(layout: Layout, operator: schema.OperatorT) -> Changed | None:
    value, axis = layout.held(int(operator.inputs[0])), layout.numbers(int(operator.inputs[2]))
    if value is None or axis is None:
        return None
    return [value, int(operator.inputs[1]), layout.new_numbers(layout.axis(axis[0]))], None


def _reverse(layout: Layout, operator: schema.OperatorT) -> Changed | None:
    value, axes = layout.held(int(operator.inputs[0])), layout.numbers(int(operator.inputs[1]))
    if value is None or axes is None:
        return None
    return [value, layout.new_numbers([layout.axis(axis) for axis in axes])], None


def _gather(layout: Layout, operator: schema.OperatorT) -> Changed | None:
    """Along one axis, by a list of indices."""
    value, indices = layout.held(int(operator.inputs[0])), int(operator.inputs[1])
    options = copy.copy(operator.builtinOptions)
    if value is None or options.batchDims or len(layout.shape(indices)) != 1:
        return None
    options.axis = layout.axis(options.axis)
    return [value, indices], options


def _batch_matmul(layout: Layout, operator: schema.OperatorT) -> Changed | None:
    """The columns of a map mixed by a constant matrix: y = x M.

    Where the columns are the last axis but one, that is y = Mᵀ x for each of the axes before.
    """
    value, options = layout.held(int(operator.inputs[0])), operator.builtinOptions
    tensor = layout.model.subgraphs[0].tensors[operator.inputs[1]]
    matrix = constant(layout.model, tensor)
    last = len(layout.order) - 1
    if value is None or matrix is None or matrix.dtype != np.float32 or matrix.ndim != MATRIX:
        return None
    if last != MAP - 1 or layout.order[last] != last - 1 or options.adjX:
        return None
    if not options.adjY:
        matrix = matrix.T
    before = new_constant(layout.model, "transposed", np.ascontiguousarray(matrix))
    options = copy.copy(options)
    options.adjY = False
    return [before, value], options


RULES: dict[str, Rule] = {
    **dict.fromkeys(POINTWISE, _pointwise),
    **dict.fromkeys(REDUCTIONS, _reduction),
    "BATCH_MATMUL": _batch_matmul,
    "CONCATENATION": _concatenation,
    "SOFTMAX": _softmax,
    "PAD": _pad,
    "PADV2": _pad,
    "REVERSE_V2": _reverse,
    "GATHER": _gather,
    "MIRROR_PAD": _pad,
    "SLICE": _slice,
    "STRIDED_SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
}
