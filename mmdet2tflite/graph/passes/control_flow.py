"""What stands in the place of If, Loop and Scan once it is known what they run, and how often."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.edit import (
    constant,
    cut_before,
    describe,
    integer,
    integers,
    new_constant,
    shape_of,
)

MOST_UNROLLED = 5_000
"""Nodes that the loops of one model may become. A loop of a few bytes can ask for any number."""


@dataclass
class _Progress:
    """Of one Loop: iterations that are written already, and what each gave to be stacked."""

    iterations: int = 0
    stacked: list[list[ir.Value]] = field(default_factory=list)


class ControlFlow:
    """Writes nodes in the place of control flow; the caller walks on with what was written.

    1. ``If`` with a constant condition is the branch that is taken.
    2. ``Loop`` is its body once, then the Loop that is left, which is looked at again behind it: by
       then its condition is known, or it never will be. It ends after as many iterations as it
       says, or where the condition is false.
    3. ``Scan`` is its body as often as its input has elements along the axis that it scans.
    4. What the iterations give to be stacked is concatenated.
    """

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._progress: dict[ir.Node, _Progress] = {}
        self._constants: dict[int, tuple[ir.TensorProtocol, ir.Value]] = {}
        self._unrolled = 0

    def inline_branch(self, node: ir.Node) -> str:
        """Rule 1; returns which branch. Raises ModelError."""
        condition = constant(node.inputs[0])
        if condition is None:
            raise refusal(node, "a condition that is constant once the input size is known")
        name = "then_branch" if condition.item() else "else_branch"
        nodes, results = self._written(node.attributes[name].as_graph(), [])
        self._finish(node, nodes, results)
        return name

    def unroll_loop(self, node: ir.Node) -> int | None:
        """Rule 2: one iteration; or the end, then how many there were. Raises ModelError."""
        body = node.attributes["body"].as_graph()
        trips, goes_on = (self._known(node, index) for index in (0, 1))
        carried = [value for value in node.inputs[2:] if value is not None]
        scans = len(body.outputs) - 1 - len(carried)
        progress = self._progress.pop(node, _Progress(stacked=[[] for _ in range(scans)]))
        done = progress.iterations
        if (trips is not None and done >= trips) or not (goes_on is None or goes_on):
            stacked = [
                self._stack(f"{node.name}_{i}", node, values, 0)
                for i, values in enumerate(progress.stacked)
            ]
            nodes = [step for steps, _ in stacked for step in steps]
            self._finish(node, nodes, [*carried, *(value for _, value in stacked)])
            return done
        self._count(node, body)
        name = f"{node.name}_{done}"
        number = new_constant(self._graph, f"{name}_iteration", np.array(done, np.int64))
        true = new_constant(self._graph, f"{name}_condition", np.array(True))
        copy = _copy(body, name)
        nodes, (condition, *results) = self._written(copy, [number, true, *carried])
        for values, result in zip(progress.stacked, results[len(carried) :], strict=True):
            values.append(result)
        rest = ir.node(
            "Loop",
            [node.inputs[0], condition, *results[: len(carried)]],
            dict(node.attributes),
            num_outputs=len(node.outputs),
            name=node.name,
        )
        progress.iterations += 1
        self._progress[rest] = progress
        self._graph.insert_after(node, [*nodes, rest])
        for output, later in zip(node.outputs, rest.outputs, strict=True):
            later.name = output.name
            output.replace_all_uses_with(later, replace_graph_outputs=True)
        self._graph.remove(node, safe=True)
        return None

    def unroll_scan(self, node: ir.Node) -> int:
        """Rule 3; returns how many iterations there were. Raises ModelError."""
        body, scanned = node.attributes["body"].as_graph(), integer(node, "num_scan_inputs", 0)
        values = [value for value in node.inputs if value is not None]
        states, inputs = values[: len(values) - scanned], values[len(values) - scanned :]
        axes = integers(node, "scan_input_axes", [0] * scanned)
        backwards = integers(node, "scan_input_directions", [0] * scanned)
        stacked: list[list[ir.Value]] = [[] for _ in body.outputs[len(states) :]]
        sizes = [shape_of(value)[axis] for value, axis in zip(inputs, axes, strict=True)]
        nodes: list[ir.Node] = []
        for iteration in range(sizes[0]):
            self._count(node, body)
            name, elements = f"{node.name}_{iteration}", []
            for i, (value, axis, turned) in enumerate(zip(inputs, axes, backwards, strict=True)):
                position = np.array(sizes[0] - 1 - iteration if turned else iteration, np.int64)
                operand = new_constant(self._graph, f"{name}_position", position)
                element = ir.node("Gather", [value, operand], {"axis": axis}, name=f"{name}_at_{i}")
                element.outputs[0].name = f"{name}_{value.name}"
                nodes.append(element)
                elements.append(element.outputs[0])
            inner, results = self._written(_copy(body, name), [*states, *elements])
            nodes += inner
            states = results[: len(states)]
            for given, result in zip(stacked, results[len(states) :], strict=True):
                given.append(result)
        axes = integers(node, "scan_output_axes", [0] * len(stacked))
        turned_back = integers(node, "scan_output_directions", [0] * len(stacked))
        results = list(states)
        for i, (given, axis, turned) in enumerate(zip(stacked, axes, turned_back, strict=True)):
            name = f"{node.name}_{i}"
            steps, result = self._stack(name, node, given[::-1] if turned else given, axis)
            nodes += steps
            results.append(result)
        self._finish(node, nodes, results)
        return sizes[0]

    def _known(self, node: ir.Node, index: int) -> int | None:
        """A constant operand; None where it is absent."""
        value = node.inputs[index] if index < len(node.inputs) else None
        if value is None:
            return None
        array = constant(value)
        if array is None:
            what = ("a number of iterations", "a condition")[index]
            raise refusal(node, f"{what} that is constant once the input size is known")
        return int(array.item())

    def _count(self, node: ir.Node, body: ir.Graph) -> None:
        """One iteration. A Loop may name any number of them and end early: see its condition."""
        self._unrolled += len(body) + 1
        if self._unrolled > MOST_UNROLLED:
            raise refusal(node, f"loops of at most {MOST_UNROLLED:,} operators in all")

    def _written(
        self, body: ir.Graph, inputs: Sequence[ir.Value]
    ) -> tuple[list[ir.Node], list[ir.Value]]:
        """The nodes of a graph, out of it, and what it gives.

        What it reads from outside it reads by reference, so the nodes just move.
        """
        results = list(body.outputs)
        body.outputs.clear()
        replaced = dict(zip(body.inputs, inputs, strict=True))
        body.inputs.clear()
        for value in list(body.initializers.values()):
            assert value.name is not None
            body.initializers.pop(value.name)
            tensor = value.const_value
            assert tensor is not None
            if id(tensor) not in self._constants:  # iterations share theirs
                moved = new_constant(self._graph, value.name, tensor.numpy())
                self._constants[id(tensor)] = tensor, moved
            _, replaced[value] = self._constants[id(tensor)]
        for value, given in replaced.items():
            value.replace_all_uses_with(given)
        nodes = list(body)
        body.remove(nodes)
        return nodes, [replaced.get(result, result) for result in results]

    def _stack(
        self, name: str, node: ir.Node, values: list[ir.Value], axis: int
    ) -> tuple[list[ir.Node], ir.Value]:
        """Rule 4."""
        if not values:
            raise refusal(node, "at least one iteration, where what they give is stacked")
        operand = new_constant(self._graph, f"{name}_axis", np.array([axis], np.int64))
        nodes = [
            ir.node("Unsqueeze", [value, operand], name=f"{name}_part_{index}")
            for index, value in enumerate(values)
        ]
        parts = [part.outputs[0] for part in nodes]
        for part, each in zip(parts, nodes, strict=True):
            part.name = f"{each.name}_output"
        stack = ir.node("Concat", parts, {"axis": axis}, name=f"{name}_stacked")
        stack.outputs[0].name = f"{name}_stacked_output"
        return [*nodes, stack], stack.outputs[0]

    def _finish(self, node: ir.Node, nodes: list[ir.Node], results: Sequence[ir.Value]) -> None:
        """The nodes in the place of one whose outputs are these results.

        An Identity for each output: a result may be a value of the outer graph.
        """
        copies = [
            ir.node("Identity", [result], name=f"{node.name}_{index}")
            for index, result in enumerate(results)
        ]
        self._graph.insert_after(node, [*nodes, *copies])
        for output, copy in zip(node.outputs, copies, strict=True):
            copy.outputs[0].name = output.name
            output.replace_all_uses_with(copy.outputs[0], replace_graph_outputs=True)
        self._graph.remove(node, safe=True)


def refusal(node: ir.Node, expected: str) -> ModelError:
    """Control flow that stays."""
    return ModelError(
        f"control flow: {describe(node)}",
        expected,
        f"{cut_before(node)}; or export it by tracing rather than scripting",
    )


def _copy(body: ir.Graph, name: str) -> ir.Graph:
    """A copy of a body, whose nodes and their outputs are called after the iteration."""
    copy = body.clone(allow_outer_scope_values=True)
    for node in copy:
        node.name = f"{name}_{node.name}"
        for output in node.outputs:
            if output.name:
                output.name = f"{name}_{output.name}"
    return copy
