"""The steps of one direction of an LSTM, GRU or RNN, written into the graph."""

from collections.abc import Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import (
    Array,
    constant,
    integer,
    new_constant,
    new_node,
    shape_of,
    string,
)

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
ACTIVATIONS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
"""ONNX's defaults, of one direction: gates, candidate, and of the LSTM its cell."""

type State = tuple[ir.Value | None, ir.Value | None]
"""Hidden and cell, 1 x batch x hidden; None is zero."""


def input_of(node: ir.Node, index: int) -> ir.Value:
    """An operand that is always there."""
    value = node.inputs[index]
    assert value is not None
    return value


def given(node: ir.Node, index: int) -> ir.Value | None:
    """An operand, or None where it is left out."""
    return node.inputs[index] if index < len(node.inputs) else None


def count_directions(node: ir.Node) -> int:
    """1, or 2 of a bidirectional one."""
    return 2 if string(node, "direction", "forward") == "bidirectional" else 1


def activations_of(node: ir.Node) -> list[str]:
    """The names, of all directions."""
    attribute = node.attributes.get("activations")
    if attribute is None:
        return list(ACTIVATIONS[node.op_type]) * count_directions(node)
    return [name.capitalize() for name in attribute.as_strings()]


class Direction:
    """The steps of one direction.

    Attributes:
        hidden: of every step, 1 x batch x hidden, in the order of the sequence.
        state: hidden and cell after the last step.
    """

    def __init__(self, graph: ir.Graph, node: ir.Node, index: int) -> None:
        self._graph, self._node = graph, node
        self._constants: dict[str, ir.Value] = {}
        self._gates = GATES[node.op_type]
        self._backwards = index == 1 or string(node, "direction", "forward") == "reverse"
        self._name = f"{node.name}_{'backwards' if self._backwards else 'forwards'}"
        self._weights = self._array(1, index), self._array(2, index)
        self._size = self._weights[1].shape[1]
        self._steps, self._batch, _ = shape_of(input_of(node, 0))
        names = activations_of(node)
        each = len(names) // count_directions(node)
        self._activations = names[index * each : (index + 1) * each]
        biases = self._array(3, index) if given(node, 3) is not None else None
        both = np.zeros((2, self._gates * self._size), self._weights[0].dtype)
        self._biases = both if biases is None else biases.reshape(both.shape)
        self._linear = integer(node, "linear_before_reset", 0) != 0
        self.state: State = self._initial(5, index), self._initial(6, index)
        self.hidden: list[ir.Value] = []

    def unroll(self) -> None:
        """Write every step."""
        late = self._biases[1].copy()  # what is added to R·h, and not beforehand
        late[: -self._size if self._linear else None] = 0
        early = self._biases.sum(axis=0) - late
        width = self._gates * self._size
        shape = (self._steps, self._batch, width)
        inputs = self._product(input_of(self._node, 0), self._weights[0], "inputs", shape)
        if early.any():
            inputs = self._add("Add", "biased", [inputs, self._constant("bias", early)], shape)
        parts = self._split(inputs, "steps", 0, [1] * self._steps)
        recurrent = self._weights[1]
        step = {"LSTM": self._lstm, "GRU": self._gru, "RNN": self._rnn}[self._node.op_type]
        for number, part in list(enumerate(parts))[:: -1 if self._backwards else 1]:
            self._prefix = f"step_{number}"
            self.state = step(part, recurrent, late[-self._size :])
            assert self.state[0] is not None
            self.hidden.append(self.state[0])
        if self._backwards:
            self.hidden.reverse()

    def _rnn(self, part: ir.Value, recurrent: Array, _: Array) -> State:
        """Rule 1."""
        return self._act(0, self._with_state(part, recurrent), "hidden"), None

    def _lstm(self, part: ir.Value, recurrent: Array, _: Array) -> State:
        """Rule 2."""
        gates = self._with_state(part, recurrent)
        i, o, f, g = self._split(gates, "gates", 2, [self._size] * 4)
        i, o = self._act(0, i, "input_gate"), self._act(0, o, "output_gate")
        cell = self._small("Mul", "new", i, self._act(1, g, "candidate"))
        if self.state[1] is not None:
            kept = self._small("Mul", "kept", self._act(0, f, "forget_gate"), self.state[1])
            cell = self._small("Add", "cell", kept, cell)
        return self._small("Mul", "hidden", o, self._act(2, cell, "cell_out")), cell

    def _gru(self, part: ir.Value, recurrent: Array, late: Array) -> State:
        """Rule 3."""
        size, hidden = self._size, self.state[0]
        gates, new = self._split(part, "parts", 2, [2 * size, size])
        gates = self._with_state(gates, recurrent[: 2 * size])
        z, r = self._split(self._act(0, gates, "gates"), "both", 2, [size, size])
        if self._linear:
            after = self._constant("late_bias", late)
            if hidden is not None:
                product = self._recurrent(hidden, recurrent[2 * size :])
                after = self._small("Add", "late", product, after)
            new = self._small("Add", "sum", new, self._small("Mul", "reset", r, after))
        elif hidden is not None:
            reset = self._small("Mul", "reset", r, hidden)
            new = self._small("Add", "sum", new, self._recurrent(reset, recurrent[2 * size :]))
        new = self._act(1, new, "candidate")
        if hidden is None:
            return self._small("Sub", "hidden", new, self._small("Mul", "less", z, new)), None
        change = self._small("Mul", "change", z, self._small("Sub", "other", hidden, new))
        return self._small("Add", "hidden", new, change), None

    def _with_state(self, part: ir.Value, recurrent: Array) -> ir.Value:
        if self.state[0] is None:
            return part
        return self._small("Add", "with_state", part, self._recurrent(self.state[0], recurrent))

    def _recurrent(self, hidden: ir.Value, recurrent: Array) -> ir.Value:
        shape = (1, self._batch, len(recurrent))
        return self._product(hidden, recurrent, f"{self._prefix}_recurrent_{len(recurrent)}", shape)

    def _small(self, op_type: str, what: str, one: ir.Value, other: ir.Value) -> ir.Value:
        """An operator of this step, of the shape of its first operand."""
        shape = max(shape_of(one), shape_of(other), key=lambda each: (len(each), prod(each)))
        return self._add(op_type, f"{self._prefix}_{what}", [one, other], shape)

    def _act(self, which: int, value: ir.Value, what: str) -> ir.Value:
        kind = self._activations[which]
        return self._add(kind, f"{self._prefix}_{what}", [value], shape_of(value))

    def _split(self, value: ir.Value, what: str, axis: int, sizes: list[int]) -> list[ir.Value]:
        name = f"{self._name}_{what}" if axis == 0 else f"{self._name}_{self._prefix}_{what}"
        if len(sizes) == 1:
            return [value]
        operand = self._constant(f"sizes_of_{what}", np.array(sizes, np.int64))
        attributes = {"axis": axis}
        node = ir.node("Split", [value, operand], attributes, num_outputs=len(sizes), name=name)
        shape = list(shape_of(value))
        for index, (output, size) in enumerate(zip(node.outputs, sizes, strict=True)):
            shape[axis] = size
            output.name, output.type = f"{name}_{index}", value.type
            output.shape = ir.Shape(shape)
        self._graph.insert_before(self._node, node)
        return list(node.outputs)

    def _product(
        self, value: ir.Value, weights: Array, what: str, shape: Sequence[int]
    ) -> ir.Value:
        kind = "inputs" if what == "inputs" else f"recurrent_{len(weights)}"
        operand = self._constant(kind, weights.T)
        return self._add("MatMul", what, [value, operand], shape)

    def _add(
        self, op_type: str, what: str, inputs: list[ir.Value], shape: Sequence[int]
    ) -> ir.Value:
        like = input_of(self._node, 0)
        node = new_node(op_type, inputs, name=f"{self._name}_{what}", like=like, shape=shape)
        self._graph.insert_before(self._node, node)
        return node.outputs[0]

    def _constant(self, what: str, array: Array) -> ir.Value:
        """A constant; of one name, one for all steps."""
        if what not in self._constants:
            self._constants[what] = new_constant(self._graph, f"{self._name}_{what}", array)
        return self._constants[what]

    def _array(self, index: int, direction: int) -> Array:
        array = constant(input_of(self._node, index))
        assert array is not None  # see _refuse
        return array[direction]

    def _initial(self, index: int, direction: int) -> ir.Value | None:
        """The state before the first step; None for zero (rule 5)."""
        value = given(self._node, index)
        if value is None:
            return None
        array = constant(value)
        if array is not None:
            found = array[direction : direction + 1]
            return self._constant(f"initial_{index}", found) if found.any() else None
        sizes = [1] * count_directions(self._node)
        if len(sizes) == 1:
            return value
        self._prefix = "initial"
        operand = self._constant(f"direction_of_{index}", np.array([direction], np.int64))
        shape = (1, self._batch, self._size)
        node = new_node(
            "Gather",
            [value, operand],
            {"axis": 0},
            name=f"{self._name}_initial_{index}",
            like=value,
            shape=shape,
        )
        self._graph.insert_before(self._node, node)
        return node.outputs[0]
