"""Fewer TRANSPOSEs in a TFLite file: they are moved towards the outputs, where opposite ones meet.

Converters put one around every operator that they think of as channels first. Most operators
compute the same in any order of axes.
"""

import copy
from collections.abc import Sequence
from math import prod

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import (
    constant,
    copy_tensor,
    new_constant,
    operator_name,
)
from mmdet2tflite.tflite.layout_rules import RULES, Layout, Order, inverse, permute
from mmdet2tflite.tflite.moves import new_reshape, new_transpose, redirect, shape_of
from mmdet2tflite.tflite.outputs import is_turned_last
from mmdet2tflite.tflite.regrouping import regroup
from mmdet2tflite.tflite.unused import drop_unused_tensors


def move_transposes(model: schema.ModelT, *, outputs_turned: bool = True) -> bool:
    """Move the TRANSPOSEs of the main graph, in place, if fewer are left; the numbers stay.

    1. A TRANSPOSE is not computed where it stands: its result is known to be a tensor in another
       order of its axes. Two in a row are one, and two opposite ones none.
    2. A RESHAPE is one of that tensor, too, where it can be (``regrouping.py``).
    3. An operator with a rule (``layout_rules.py``) computes in the order that its inputs have, and
       its result is in the same other order then.
    4. Any other operator, and an output, gets its inputs transposed: each tensor once. Where no two
       axes longer than 1 change places, that is a RESHAPE, which moves nothing.
    5. The result counts if it has fewer TRANSPOSEs, and they move no more values in all.

    Args:
        outputs_turned: outputs must be as they are. Otherwise one that only brings the channels of
            a map to the front at last will have them at the end: that TRANSPOSE does not count.

    Returns:
        Whether anything was changed.
    """
    if not any(operator_name(model, each) == "TRANSPOSE" for each in model.subgraphs[0].operators):
        return False
    moved = copy.copy(model)
    moved.buffers, moved.operatorCodes = list(model.buffers), list(model.operatorCodes)
    moved.subgraphs = [copy.copy(model.subgraphs[0]), *model.subgraphs[1:]]
    graph = moved.subgraphs[0]
    graph.tensors = [copy.copy(tensor) for tensor in graph.tensors]
    graph.operators = [copy.copy(operator) for operator in graph.operators]
    _Mover(moved).move()
    before, after = (_cost(each, outputs_turned) for each in (model, moved))
    if not (after[0] < before[0] and after[1] <= before[1]):
        return False
    model.subgraphs[0], model.buffers = graph, moved.buffers
    model.operatorCodes = moved.operatorCodes
    drop_unused_tensors(model)
    return True


def _cost(model: schema.ModelT, outputs_turned: bool) -> tuple[int, int]:
    """How many TRANSPOSEs count, and how many values they move."""
    graph = model.subgraphs[0]
    free = {
        int(number)
        for index, number in enumerate(graph.outputs)
        if not outputs_turned and is_turned_last(model, index)
    }
    moved = [
        prod(int(side) for side in graph.tensors[operator.outputs[0]].shape)
        for operator in graph.operators
        if operator_name(model, operator) == "TRANSPOSE" and int(operator.outputs[0]) not in free
    ]
    return len(moved), sum(moved)


class _Mover:
    """Writes the operators of a graph anew, from the first to the last."""

    def __init__(self, model: schema.ModelT) -> None:
        self._model, self._graph = model, model.subgraphs[0]
        self._held: dict[int, tuple[int, Order]] = {}
        """A tensor that is not there: of which other one it is which order of axes."""
        self._operators: list[schema.OperatorT] = []

    def move(self) -> None:
        for operator in self._graph.operators:
            known = self._take_in(operator) or self._reshape_as_held(operator)
            if not known and not self._compute_as_held(operator):
                operator.inputs = np.array([self._there(int(n)) for n in operator.inputs], np.int32)
                self._operators.append(operator)
        for number in self._graph.outputs:
            self._write(int(number))
        self._graph.operators = self._operators

    def _take_in(self, operator: schema.OperatorT) -> bool:
        """Rule 1."""
        if operator_name(self._model, operator) != "TRANSPOSE":
            return False
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        order = constant(self._model, self._graph.tensors[operator.inputs[1]])
        if order is None:
            return False
        held, before = self._held.get(source, (source, tuple(range(len(order)))))
        self._held[target] = held, tuple(before[int(axis)] for axis in order)
        return True

    def _reshape_as_held(self, operator: schema.OperatorT) -> bool:
        """Rule 2."""
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        if operator_name(self._model, operator) != "RESHAPE" or source not in self._held:
            return False
        held, order = self._held[source]
        found = regroup(self._shape(source), self._shape(target), self._shape(held), order)
        if found is None:
            return False
        in_place = copy_tensor(self._graph, target, "_in_place", found.shape)
        self._operators.append(new_reshape(self._model, held, in_place))
        self._held[target] = in_place, found.order
        return True

    def _compute_as_held(self, operator: schema.OperatorT) -> bool:
        """Rule 3."""
        rule = RULES.get(operator_name(self._model, operator))
        orders = [self._held[int(n)][1] for n in operator.inputs if int(n) in self._held]
        if rule is None or not orders:
            return False
        order = orders[0]
        if len(self._shape(int(operator.outputs[0]))) != len(order):
            return False
        layout = Layout(self._model, order, lambda number: self._in_order(number, order))
        written = len(self._operators)
        changed = rule(layout, operator)
        if changed is None:
            del self._operators[written:]  # what brought other inputs in this order
            return False
        inputs, options = changed
        operator.inputs = np.array(inputs, np.int32)
        if options is not None:
            operator.builtinOptions = options
        targets = []
        for number in operator.outputs:
            shape = permute(self._shape(int(number)), inverse(order))
            target = copy_tensor(self._graph, int(number), "_in_place", shape)
            self._held[int(number)] = target, order
            targets.append(target)
        operator.outputs = np.array(targets, np.int32)
        self._operators.append(operator)
        return True

    def _in_order(self, number: int, order: Order) -> int | None:
        """The tensor whose axes, in this order, are those of ``number``; None without a TRANSPOSE.

        A tensor with a rank of its own is one of an operator that repeats what it lacks.
        """
        if number in self._held:
            source, held = self._held[number]
            return source if held == order else None
        shape = self._shape(number)
        if prod(shape) == 1 and len(shape) < len(order):
            return number
        full = [1] * (len(order) - len(shape)) + shape
        values = constant(self._model, self._graph.tensors[number])
        if values is not None:
            turned = values.reshape(full).transpose(inverse(order))
            quantization = self._graph.tensors[number].quantization
            return new_constant(self._model, "in_order", np.ascontiguousarray(turned), quantization)
        wanted = permute(full, inverse(order))
        if [side for side in wanted if side > 1] != [side for side in full if side > 1]:
            return None
        if not _keeps_order(full, inverse(order)):
            return None
        target = copy_tensor(self._graph, number, "_in_order", wanted)
        self._operators.append(new_reshape(self._model, number, target))
        return target

    def _there(self, number: int) -> int:
        """Rule 4, for an operator."""
        if number not in self._held:
            return number
        source, order = self._held[number]
        if order == tuple(range(len(order))):
            return source
        self._write(number)
        return number

    def _write(self, number: int) -> None:
        """Rule 4: compute a tensor that is not there."""
        if number not in self._held:
            return
        source, order = self._held.pop(number)
        if order == tuple(range(len(order))) and self._takes_place(source, number):
            return
        if _keeps_order(self._shape(source), order):
            self._operators.append(new_reshape(self._model, source, number))
        else:
            self._operators.append(new_transpose(self._model, source, order, number))

    def _takes_place(self, source: int, number: int) -> bool:
        """Let what computes ``source`` write ``number``; not where ``source`` is an end itself."""
        ends = {*map(int, self._graph.inputs), *map(int, self._graph.outputs)}
        if source in ends or not any(source in each.outputs for each in self._operators):
            return False
        redirect(self._operators, source, number)
        for name, (held, order) in list(self._held.items()):
            if held == source:
                self._held[name] = number, order
        return True

    def _shape(self, number: int) -> list[int]:
        return shape_of(self._graph, number)


def _keeps_order(shape: Sequence[int], order: Order) -> bool:
    """Whether a transposition moves no value: axes longer than 1 stand as they stood."""
    long = [axis for axis in order if shape[axis] > 1]
    return long == sorted(long)
