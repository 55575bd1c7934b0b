"""A rearrangement of space into channels, and the convolution after it, are one convolution."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from mmdet2tflite.graph.edit import (
    Array,
    constant,
    describe,
    integer,
    integers,
    is_op,
    new_constant,
    readers,
    shape_of,
)
from mmdet2tflite.graph.evaluation import evaluate
from mmdet2tflite.graph.passes.reporting import ReportingPass

REARRANGING = (
    "Concat",
    "DepthToSpace",
    "Flatten",
    "Gather",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
"""Operators that only move elements."""


@dataclass(frozen=True)
class Rearrangement:
    """Channel q of the rearranged map at (y, x) is element (b·y + dy[q], b·x + dx[q]) of channel
    c[q] of the source, each element once.

    Args:
        source: 1 x C x H x W; the rearranged map is 1 x C·b² x H/b x W/b.
        block: b, at least 2.
        places: c, dy, dx: 3 x C·b².
    """

    source: ir.Value
    block: int
    places: NDArray[np.int64]


class FoldFocus(ReportingPass):
    """Focus of YOLOX and YOLOv5, space-to-depth, pixel-unshuffle, and the convolution after it.

    1. Any chain of operators that only move elements counts; what it does is found by sending the
       number of every element of the source through it, and must be a ``Rearrangement``.
    2. The convolution has constant weights w, one group, stride 1 and dilation 1: it becomes one of
       the source, with kernel b·k, stride b, pads b·p, dilation 1 and the weights
       W[o, c[q], b·ky + dy[q], b·kx + dx[q]] = w[o, q, ky, kx]. Same multiplications, same bias.
    3. Only where every reader of the rearranged map is such a convolution: otherwise the
       rearrangement would stay, and nothing is gained.

    Requires explicit pads. 2 follows from the definition of a convolution: its tap (ky, kx) at
    output (y, x) reads q at (y + ky - p, x + kx - p), which is row b·y + b·ky + dy[q] - b·p.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if not is_op(node, *REARRANGING):
                continue
            for value in node.outputs:
                convolutions = list(readers(value))
                if not any(is_op(reader, "Conv") for reader in convolutions):
                    continue
                found = _rearrangement(model.graph, model.opset_imports[""], value)
                if found is None:
                    continue
                if reason := _refusal(value, convolutions):
                    self.left(node, reason)
                    continue
                for convolution in convolutions:
                    _fold(model.graph, convolution, found)
                    self.changed(
                        f"folded the rearrangement of {found.source.name} by {describe(node)} "
                        f"into {describe(convolution)}"
                    )


def _refusal(value: ir.Value, convolutions: list[ir.Node]) -> str:
    """Why the convolutions cannot take the rearrangement in; empty if they can."""
    if value.is_graph_output():
        return "it is a graph output"
    for node in convolutions:
        if not is_op(node, "Conv") or node.inputs[0] is not value:
            return f"{describe(node)} reads it too"
        if constant(node.inputs[1]) is None:
            return f"the weights of {describe(node)} are not constant"
        if integer(node, "group", 1) != 1:
            return f"{describe(node)} has groups"
        if any(step != 1 for step in integers(node, "strides", ())):
            return f"{describe(node)} has a stride"
        if any(step != 1 for step in integers(node, "dilations", ())):
            return f"{describe(node)} is dilated"
    return ""


def _fold(graph: ir.Graph, node: ir.Node, found: Rearrangement) -> None:
    """Rule 2."""
    weights, block = constant(node.inputs[1]), found.block
    assert weights is not None
    outputs, _, height, width = weights.shape
    shape = (outputs, shape_of(found.source)[1], block * height, block * width)
    folded = np.zeros(shape, weights.dtype)
    for q, (channel, dy, dx) in enumerate(found.places.T):
        folded[:, channel, dy::block, dx::block] = weights[:, q]
    node.replace_input_with(0, found.source)
    node.replace_input_with(1, new_constant(graph, f"{node.name}_weight", folded))
    pads = [block * rows for rows in integers(node, "pads", (0, 0, 0, 0))]
    node.attributes["pads"] = ir.AttrInt64s("pads", pads)
    node.attributes["strides"] = ir.AttrInt64s("strides", [block, block])
    node.attributes["kernel_shape"] = ir.AttrInt64s("kernel_shape", shape[2:])


def _rearrangement(graph: ir.Graph, opset: int, value: ir.Value) -> Rearrangement | None:
    """Rule 1, from the nearest source for which it holds."""
    target = shape_of(value)
    for source, nodes in _sources(graph, value):
        shape = shape_of(source)
        if len(shape) != 4 or len(target) != 4 or shape[0] != 1:
            continue
        block = shape[2] // target[2]
        if block < 2 or target != (1, shape[1] * block**2, shape[2] // block, shape[3] // block):
            continue
        numbers: dict[ir.Value, Array] = {source: np.arange(np.prod(shape)).reshape(shape)}
        for node in nodes:
            numbers |= zip(node.outputs, evaluate(node, opset, numbers), strict=True)
        places = _places(numbers[value][0], shape, block)
        if places is not None:
            return Rearrangement(source, block, places)
    return None


def _places(numbers: Array, shape: tuple[int, ...], block: int) -> NDArray[np.int64] | None:
    """c, dy, dx of every channel, if the elements numbered C·b² x H/b x W/b are a Rearrangement.

    There are as many channels as places (c, dy, dx), so each element appears once if no two
    channels begin with the same.
    """
    first = numbers[:, :1, :1]
    places = np.array(np.unravel_index(first.ravel().astype(np.int64), shape[1:]))
    _, height, width = numbers.shape
    rows, columns = np.arange(height)[:, None], np.arange(width)
    if (places[1:] >= block).any() or len(np.unique(first)) < len(first):
        return None
    expected = first + block * (rows * shape[3] + columns)
    return places if np.array_equal(numbers, expected) else None


def _sources(graph: ir.Graph, value: ir.Value) -> Iterator[tuple[ir.Value, list[ir.Node]]]:
    """Values from which the value follows by moving elements alone; the nodes between, in order.

    Goes backwards from the value, always past the last of the nodes that are still open, so that
    nothing open depends on what was passed. Where one value is open, all depends on that alone; a
    constant that is moved along stays open to the end.
    """
    position = {node: number for number, node in enumerate(graph)}
    opened, passed = {value}, list[ir.Node]()
    while True:
        nodes = [node for each in opened if (node := each.producer()) is not None]
        if not nodes:
            return
        last = max(nodes, key=lambda node: position[node])
        if not is_op(last, *REARRANGING):
            return
        data = [each for each in _data(last) if each is not None]
        opened = opened.difference(last.outputs).union(data)
        passed.insert(0, last)
        if len(opened) == 1:
            yield next(iter(opened)), passed


def _data(node: ir.Node) -> Sequence[ir.Value | None]:
    """The inputs whose elements are moved; the others say where to."""
    return node.inputs if is_op(node, "Concat") else node.inputs[:1]
