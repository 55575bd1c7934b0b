"""Writes a plan into its graph: copies of values, changed constants, attributes and inputs."""

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import (
    BEFORE_THE_FIRST,
    FROM_THE_LAST,
    constant,
    is_op,
    new_constant,
    new_node,
    readers,
    shape_of,
)
from mmdet2tflite.graph.rotation.rotation_plan import Copy, RotationPlan, Step
from mmdet2tflite.graph.rotation.rule import Axes


class RotationWriter:
    """Edits the graph from its first operator to its last."""

    def __init__(self, graph: ir.Graph, plan: RotationPlan) -> None:
        self._graph, self._plan = graph, plan
        self._values: dict[Copy, ir.Value] = {}
        self._constants: dict[tuple[ir.Value, Axes], ir.Value] = {}
        self._slice_operands: dict[int, ir.Value] = {}
        self._replaced: list[ir.Value] = []
        self._names = {node.name for node in graph}

    def write(self) -> None:
        """Every step, then the outputs; constants that nothing reads any more are removed."""
        for node, step in self._plan.steps.items():
            self._write_step(node, step)
        self._write_outputs()
        for value in self._replaced:
            if value.is_initializer() and not value.uses() and not value.is_graph_output():
                self._graph.initializers.pop(str(value.name), None)

    def _write_step(self, node: ir.Node, step: Step) -> None:
        answer = step.answer
        for index, copy in enumerate(step.inputs):
            if copy is not None and node.inputs[index] is not self._value(copy):
                node.replace_input_with(index, self._value(copy))
        for index, axes in answer.flips.items():
            self._flip_constant(node, index, axes)
        for index, array in answer.constants.items():
            if index >= len(node.inputs):
                node.resize_inputs(index + 1)
            name = f"{node.name}_mirrored_{index}"
            self._replace_constant(node, index, new_constant(self._graph, name, array))
        for name, attribute in answer.attributes.items():
            node.attributes.pop(name, None)
            if attribute is not None:
                node.attributes.add(attribute)
        if answer.backwards == "inputs":
            for index, value in enumerate(node.inputs[::-1]):
                node.replace_input_with(index, value)
        if answer.backwards == "outputs":
            self._exchange_outputs(node)

    def _value(self, copy: Copy) -> ir.Value:
        """The value that holds a copy; inserts its flip where it is needed first."""
        if copy not in self._values:
            flip = self._plan.flips.get(copy)
            self._values[copy] = copy.value if flip is None else self._flip_copy(copy)
        return self._values[copy]

    def _flip_copy(self, copy: Copy) -> ir.Value:
        flip = self._plan.flips[copy]
        source = self._computed_again(self._value(flip.source))
        held = "_".join(["reversed", *map(str, sorted(copy.axes))]) if copy.axes else "upright"
        numbers = (FROM_THE_LAST, BEFORE_THE_FIRST, flip.axis, FROM_THE_LAST)
        node = new_node(
            "Slice",
            [source, *(self._slice_operand(number) for number in numbers)],
            name=self._free_name(f"{copy.value.name}_{held}"),
            like=source,
            shape=shape_of(source),
        )
        producer = source.producer()
        if producer is None:
            self._graph.insert_before(self._graph[0], node)
        else:
            self._graph.insert_after(producer, node)
        return node.outputs[0]

    def _computed_again(self, value: ir.Value) -> ir.Value:
        """A sum that others read, too, is computed once more for its flip.

        onnx2tf 2.6.9 forgets to write the N x C x H x W form of a sum that a reversal and a
        convolution read: LiteRT finds a tensor that "lacks data".
        """
        node = value.producer()
        if not is_op(node, "Add") or len(list(readers(value))) + value.is_graph_output() < 2:
            return value
        assert node is not None
        again = new_node(
            "Add",
            node.inputs,
            name=self._free_name(f"{node.name}_again"),
            like=value,
            shape=shape_of(value),
        )
        self._graph.insert_after(node, again)
        return again.outputs[0]

    def _slice_operand(self, number: int) -> ir.Value:
        """Starts, ends, axes or steps of a Slice along one axis."""
        if number not in self._slice_operands:
            array = np.array([number], np.int64)
            self._slice_operands[number] = new_constant(self._graph, "reversal", array)
        return self._slice_operands[number]

    def _flip_constant(self, node: ir.Node, index: int, axes: Axes) -> None:
        """A constant, flipped; shared by all who read it flipped so."""
        value = node.inputs[index]
        array = constant(value)
        assert value is not None
        assert array is not None  # rules flip constants only
        axes = frozenset(axis for axis in axes if array.shape[axis] > 1)
        if not axes:
            return
        if (value, axes) not in self._constants:
            flipped = np.flip(array, sorted(axes))
            self._constants[value, axes] = new_constant(
                self._graph, f"{value.name}_flipped", flipped
            )
        self._replace_constant(node, index, self._constants[value, axes])

    def _replace_constant(self, node: ir.Node, index: int, new: ir.Value) -> None:
        old = node.inputs[index]
        if old is not None:
            self._replaced.append(old)
        node.replace_input_with(index, new)

    def _exchange_outputs(self, node: ir.Node) -> None:
        """The first output of the node holds now what the last one held, and so on."""
        shapes = [shape_of(output) for output in node.outputs]
        for output, holder, shape in zip(
            node.outputs, node.outputs[::-1], shapes[::-1], strict=True
        ):
            self._values[Copy(output, self._plan.held(output))] = holder
            output.shape = ir.Shape(shape)

    def _write_outputs(self) -> None:
        """Graph outputs keep their names, whichever value they are now."""
        outputs = [(output, output.name) for output in self._graph.outputs]
        values = [self._value(copy) for copy in self._plan.outputs]
        for (output, name), value in zip(outputs, values, strict=True):
            if output is not value:
                output.name = f"{name}_mirrored"
        for index, ((_, name), value) in enumerate(zip(outputs, values, strict=True)):
            self._graph.outputs[index] = value
            value.name = name

    def _free_name(self, name: str) -> str:
        free, number = name, 2
        while free in self._names:
            free, number = f"{name}_{number}", number + 1
        self._names.add(free)
        return free
