"""How a graph is spelled for a converter: plain names, and outputs that survive its optimisers.

onnx2tf 2.6.9 renames ``/x`` to ``wa/x``; it fuses a convolution with the activation behind it
though the convolution is an output of the graph itself, which is then written by no operator; and
two outputs that are one value become one. ``finish_tflite`` undoes all of it in the file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from mmdet2tflite.graph.edit import is_op, shape_of
from mmdet2tflite.graph.inputs import is_channels_last

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
MARKERS = {
    ir.DataType.FLOAT: "Neg",
    ir.DataType.INT32: "Neg",
    ir.DataType.INT64: "Neg",
    ir.DataType.BOOL: "Not",
}
"""An operator by type of value that no converter takes away or fuses with another."""
CHANNELS_LAST_RANKS = (4, 5)
"""Converters write these inputs N x H x W x C, where the ONNX does not do so itself."""


@dataclass(frozen=True)
class Spelling:
    """What a converter is given in place of the graph's own inputs and outputs.

    Args:
        names: the converter's name by the graph's own, of every input and output.
        marked: outputs, by their own names, that are behind a marker.
        kept: inputs, by the converter's names, that it must leave in the layout of the ONNX.
        turned: inputs that shall have their channels last, with their shapes in the ONNX.
        scalars: inputs of rank 0, by the converter's names.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    marked: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    turned: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    scalars: tuple[str, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        """The graph is the converter's as it is."""
        return not self.marked and all(own == name for own, name in self.names.items())


def spell(model: ir.Model) -> Spelling:
    """Spell a graph for a converter, in place.

    1. If a name of an input or output is not plain, or two differ in case alone, all inputs are
       called ``input_0`` …, all outputs ``output_0`` … .
    2. An output that an operator reads, too, gets a marker: what was the output is an inner value,
       read by one more operator, ``Neg`` or ``Not``, which is the output now.
    3. So does an output that is the same value as another one, or as an input. It reads that value.
    4. Inputs that have channels last already, and those of another rank than 4 and 5, are kept. So
       are cubes (C = H = W), whose two layouts onnx2tf takes for one another.

    Types of values without a marker (``MARKERS``) stay as they are.
    """
    graph = model.graph
    marked = tuple([str(value.name) for value in list(graph.outputs) if _needs_marker(value)])
    for index, value in enumerate(list(graph.outputs)):
        if value.name in marked:
            _mark(graph, index)
    names = _rename(graph)
    inputs = list(zip(names.values(), graph.inputs, strict=False))
    turned = {
        name: shape_of(value)
        for name, value in inputs
        if len(shape_of(value)) in CHANNELS_LAST_RANKS and not is_channels_last(value)
    }
    cubes = {name for name, shape in turned.items() if len(set(shape[1:])) == 1}
    kept = tuple(name for name, _ in inputs if name in cubes or name not in turned)
    scalars = tuple(name for name, value in inputs if not shape_of(value))
    return Spelling(names, marked, kept, turned, scalars)


def _needs_marker(value: ir.Value) -> bool:
    """Rules 2 and 3."""
    node = value.producer()
    if node is None or value.dtype not in MARKERS:
        return False
    source = node.inputs[0] if is_op(node, "Identity") else None
    return bool(value.uses()) or (source is not None and not source.is_initializer())


def _mark(graph: ir.Graph, index: int) -> None:
    output = graph.outputs[index]
    name, node = str(output.name), output.producer()
    assert node is not None
    assert output.dtype is not None
    output.name = f"{name}_unmarked"
    inner = node.inputs[0] if is_op(node, "Identity") else output
    marker = ir.node(MARKERS[output.dtype], [inner], name=f"{name}_marker")
    value = marker.outputs[0]
    value.name, value.type, value.shape = name, output.type, output.shape
    graph.append(marker)
    graph.outputs[index] = value


def _rename(graph: ir.Graph) -> dict[str, str]:
    """Rule 1. The graph's inputs first, in their order."""
    own = [str(value.name) for value in (*graph.inputs, *graph.outputs)]
    folded = {name.casefold() for name in own}
    if all(PLAIN.fullmatch(name) for name in own) and len(folded) == len(set(own)):
        return {name: name for name in own}
    taken = {str(value.name) for node in graph for value in node.outputs}
    taken |= set(graph.initializers)
    names = {}
    for kind, values in (("input", graph.inputs), ("output", graph.outputs)):
        for index, value in enumerate(values):
            if str(value.name) in names:  # an output that is an input
                continue
            name = f"{kind}_{index}"
            while name in taken:
                name += "_"
            names[str(value.name)] = name
            value.name = name
    return names
