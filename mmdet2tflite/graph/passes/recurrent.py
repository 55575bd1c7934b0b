"""LSTM, GRU and RNN become the operators of their steps, one after the other."""

from collections.abc import Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.edit import (
    Array,
    constant,
    describe,
    integer,
    is_op,
    new_constant,
    new_node,
    redirect,
    shape_of,
    string,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass

MOST_STEPS = 200
"""Of one direction: a step is some twelve operators."""
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
ACTIVATIONS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
"""ONNX's defaults, of one direction: gates, candidate, and of the LSTM its cell."""
KNOWN_ACTIVATIONS = ("Relu", "Sigmoid", "Tanh")

type State = tuple[ir.Value | None, ir.Value | None]
"""Hidden and cell, 1 x batch x hidden; None is zero."""


class UnrollRecurrent(ReportingPass):
    """A recurrent operator over T steps → one MatMul for the inputs of all steps, then T steps.

    With W, R, b, c weights and biases of a gate, x the input and h the hidden state:

    1. RNN: h' = tanh(W·x + b + R·h + c).
    2. LSTM, gates i, o, f and candidate g as in 1: c' = f ⊙ c + i ⊙ g and h' = o ⊙ tanh(c').
    3. GRU, gates z, r: n = tanh(W·x + b + R·(r ⊙ h) + c), or with ``linear_before_reset``
       tanh(W·x + b + r ⊙ (R·h + c)); h' = n + z ⊙ (h - n), which is (1 - z) ⊙ n + z ⊙ h.
    4. A direction that runs backwards takes the steps from the last to the first.
    5. A state that begins as zero is left out of the first step.

    Refused: more than MOST_STEPS steps; computed weights; peepholes, ``clip``, ``input_forget``,
    ``layout`` 1, sequences of several lengths, and activations beside KNOWN_ACTIVATIONS.

    Source: ONNX operator specification, LSTM, GRU and RNN.

    Raises:
        ModelError: what is refused, with the name of the operator.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if not is_op(node, *GATES):
                continue
            _refuse(node)
            directions = [
                _Direction(model.graph, node, index) for index in range(_directions(node))
            ]
            for direction in directions:
                direction.unroll()
            steps = shape_of(_input(node, 0))[0]
            _write_outputs(model.graph, node, directions)
            model.graph.remove(node, safe=True)
            self.changed(f"unrolled {describe(node)}: {len(directions)} x {steps} steps")


def _input(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None
    return value


def _given(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _directions(node: ir.Node) -> int:
    return 2 if string(node, "direction", "forward") == "bidirectional" else 1


def _refuse(node: ir.Node) -> None:
    steps = shape_of(_input(node, 0))[0]
    lengths = _given(node, 4)
    known = None if lengths is None else constant(lengths)
    weights = [_given(node, index) for index in (1, 2, 3)]
    reasons = {
        "has layout 1": integer(node, "layout", 0) != 0,
        f"has {steps} steps": steps > MOST_STEPS,
        "computes its weights": any(w is not None and constant(w) is None for w in weights),
        "clips its gates": "clip" in node.attributes,
        "couples its input and forget gates": integer(node, "input_forget", 0) != 0,
        "has peepholes": _given(node, 7) is not None,
        "ends at several steps": lengths is not None
        and (known is None or bool((known != steps).any())),
        f"has the activations {', '.join(_activations(node))}": not set(_activations(node))
        <= set(KNOWN_ACTIVATIONS),
    }
    for reason, holds in reasons.items():
        if holds:
            raise ModelError(
                f"{describe(node)} {reason}",
                f"a recurrent operator of at most {MOST_STEPS} steps with constant weights, as "
                "PyTorch exports LSTM, GRU and RNN",
                "export the network for a shorter sequence, or cut it in front of the operator",
            )


def _activations(node: ir.Node) -> list[str]:
    attribute = node.attributes.get("activations")
    if attribute is None:
        return list(ACTIVATIONS[node.op_type]) * _directions(node)
    return [name.capitalize() for name in attribute.as_strings()]


class _Direction:
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
        self._steps, self._batch, _ = shape_of(_input(node, 0))
        names = _activations(node)
        each = len(names) // _directions(node)
        self._activations = names[index * each : (index + 1) * each]
        biases = self._array(3, index) if _given(node, 3) is not None else None
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
        inputs = self._product(_input(self._node, 0), self._weights[0], "inputs", shape)
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
        like = _input(self._node, 0)
        node = new_node(op_type, inputs, name=f"{self._name}_{what}", like=like, shape=shape)
        self._graph.insert_before(self._node, node)
        return node.outputs[0]

    def _constant(self, what: str, array: Array) -> ir.Value:
        """A constant; of one name, one for all steps."""
        if what not in self._constants:
            self._constants[what] = new_constant(self._graph, f"{self._name}_{what}", array)
        return self._constants[what]

    def _array(self, index: int, direction: int) -> Array:
        array = constant(_input(self._node, index))
        assert array is not None  # see _refuse
        return array[direction]

    def _initial(self, index: int, direction: int) -> ir.Value | None:
        """The state before the first step; None for zero (rule 5)."""
        value = _given(self._node, index)
        if value is None:
            return None
        array = constant(value)
        if array is not None:
            found = array[direction : direction + 1]
            return self._constant(f"initial_{index}", found) if found.any() else None
        sizes = [1] * _directions(self._node)
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


def _write_outputs(graph: ir.Graph, node: ir.Node, directions: list[_Direction]) -> None:
    """Y, steps x directions x batch x hidden; Y_h and Y_c, directions x batch x hidden."""

    def add(op_type: str, inputs: Sequence[ir.Value], axis: int, name: str, to: ir.Value) -> None:
        step = new_node(op_type, inputs, {"axis": axis}, name=name, like=to, shape=shape_of(to))
        graph.insert_before(node, step)
        redirect(to, step.outputs[0])

    for index, output in enumerate(node.outputs):
        if not output.uses() and not output.is_graph_output():
            continue
        if index > 0:
            ends = [direction.state[index - 1] for direction in directions]
            add("Concat", [end for end in ends if end], 0, f"{node.name}_end_{index}", output)
            continue
        # Step by step, direction by direction: one axis for both, then two.
        hidden = [
            value for pair in zip(*(d.hidden for d in directions), strict=True) for value in pair
        ]
        steps, count, batch, size = shape_of(output)
        flat = new_node(
            "Concat",
            hidden,
            {"axis": 0},
            name=f"{node.name}_steps",
            like=output,
            shape=(steps * count, batch, size),
        )
        target = new_constant(graph, f"{node.name}_shape", np.array(shape_of(output), np.int64))
        graph.insert_before(node, flat)
        reshape = new_node(
            "Reshape",
            [flat.outputs[0], target],
            name=f"{node.name}_sequence",
            like=output,
            shape=shape_of(output),
        )
        graph.insert_before(node, reshape)
        redirect(output, reshape.outputs[0])
