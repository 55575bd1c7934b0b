"""Reading and changing ``onnx_ir`` graphs: constants, static shapes, attributes, new nodes."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError

type Array = NDArray[np.generic]

FROM_THE_LAST, BEFORE_THE_FIRST = -1, -(2**63 - 1)
"""Start and end of a Slice that reverses an axis of any size."""


def constant(value: ir.Value | None) -> Array | None:
    """The array of an initializer or a ``Constant`` node; None if the value is computed or absent.

    A graph input that an initializer gives a default is no constant.
    """
    if value is None or value.is_graph_input():
        return None
    tensor = ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def static_shape(value: ir.Value) -> tuple[int, ...] | None:
    """The shape if every side is known."""
    if value.shape is None or not value.shape.is_static():
        return None
    return tuple(int(side) for side in value.shape)  # type: ignore[arg-type]


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """The shape, which the canonical form guarantees to be static. Raises ModelError."""
    shape = static_shape(value)
    if shape is None:
        raise ModelError(
            f"{value.name} has the shape {value.shape}",
            "a static shape of every value",
            "give --input-size; if it was given, the model computes with data-dependent shapes",
        )
    return shape


def integers(node: ir.Node, name: str, default: Sequence[int]) -> tuple[int, ...]:
    """A list attribute, or ``default`` where it is absent."""
    attribute = node.attributes.get(name)
    return tuple(default) if attribute is None else tuple(attribute.as_ints())


def integer(node: ir.Node, name: str, default: int) -> int:
    """An integer attribute, or ``default`` where it is absent."""
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


def string(node: ir.Node, name: str, default: str) -> str:
    """A string attribute, or ``default`` where it is absent."""
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_string()


def is_op(node: ir.Node | None, *op_types: str) -> bool:
    """Whether the node is one of these operators of the ONNX standard."""
    return node is not None and node.domain in ("", "ai.onnx") and node.op_type in op_types


def describe(node: ir.Node) -> str:
    """``Conv /stem/conv/Conv``: how messages name a node."""
    return f"{node.op_type} {node.name or node.outputs[0].name}"


def cut_before(node: ir.Node) -> str:
    """The remedy for an operator that cannot be converted: where to cut the network."""
    names = dict.fromkeys(
        str(value.name)
        for value in node.inputs
        if value is not None and value.producer() is not None and constant(value) is None
    )
    if not names:
        return "export the network without it"
    return "cut the network before it: " + " ".join(f"--cut {name}" for name in names)


def contradiction(node: ir.Node, error: object) -> ModelError:
    """The error of an operator that rejects its inputs."""
    shapes = ", ".join(str(value.shape) for value in node.inputs if value is not None)
    return ModelError(
        f"{describe(node)} cannot take inputs of the shapes {shapes}: {error}",
        "shapes that the operator accepts",
        "check --input-size: a model that was exported for one size may work with that one only",
    )


def readers(value: ir.Value) -> Iterator[ir.Node]:
    """The nodes that read a value, each once."""
    seen: set[ir.Node] = set()
    for node, _ in value.uses():
        if node not in seen:
            seen.add(node)
            yield node


def gives_more(node: ir.Node) -> bool:
    """Whether an output beside the first is read or is a graph output."""
    return any(output.uses() or output.is_graph_output() for output in node.outputs[1:])


def new_constant(graph: ir.Graph, name: str, array: Array) -> ir.Value:
    """A new initializer; its name is made unique."""
    tensor = ir.tensor(np.asarray(array, order="C"), name=_free_name(graph, name))
    value = ir.Value(
        name=tensor.name,
        shape=ir.Shape(array.shape),
        type=ir.TensorType(tensor.dtype),
        const_value=tensor,
    )
    graph.register_initializer(value)
    return value


def new_node(
    op_type: str,
    inputs: Sequence[ir.Value | None],
    attributes: Mapping[str, ir.Attr | int | float | str | Sequence[int]] | None = None,
    *,
    name: str,
    like: ir.Value,
    shape: Sequence[int],
) -> ir.Node:
    """A node with one output of the type of ``like``; insert it before what reads it.

    Its output is called ``<name>_output``.
    """
    node = ir.node(op_type, inputs, dict(attributes or {}), name=name)
    output = node.outputs[0]
    output.name, output.type, output.shape = f"{name}_output", like.type, ir.Shape(shape)
    return node


def insert_slice(
    before: ir.Node, value: ir.Value, name: str, positions: Mapping[int, range]
) -> ir.Value:
    """The positions of a value, by axis; none is empty, and a negative step reverses a whole axis.

    A reversal is written from -1 to before the first, which converters have an operator for.
    """
    graph = before.graph
    assert isinstance(graph, ir.Graph)
    shape = list(shape_of(value))
    numbers = []
    for axis, each in positions.items():
        if each.step > 0:
            numbers.append((each.start, each[-1] + 1, axis, each.step))
        else:
            numbers.append((FROM_THE_LAST, BEFORE_THE_FIRST, axis, -1))
        shape[axis] = len(each)
    operands = [
        new_constant(graph, f"{name}_{what}", np.array(column, np.int64))
        for what, column in zip(
            ("starts", "ends", "axes", "steps"), zip(*numbers, strict=True), strict=True
        )
    ]
    node = new_node("Slice", [value, *operands], name=name, like=value, shape=shape)
    graph.insert_before(before, node)
    return node.outputs[0]


def insert_pad(
    before: ir.Node, value: ir.Value, name: str, spatial: Sequence[int], number: float
) -> ir.Value:
    """A constant ``Pad`` of the last axes: positions before each of them, then behind each."""
    graph = before.graph
    assert isinstance(graph, ir.Graph)
    assert value.dtype is not None
    shape, axes = shape_of(value), len(spatial) // 2
    pads = np.zeros((2, len(shape)), np.int64)
    pads[:, len(shape) - axes :] = np.reshape(spatial, (2, axes))
    operands = [
        new_constant(graph, f"{name}_pads", pads.ravel()),
        new_constant(graph, f"{name}_value", np.array(number, value.dtype.numpy())),
    ]
    sizes = [side + rows for side, rows in zip(shape, pads.sum(axis=0), strict=True)]
    node = new_node("Pad", [value, *operands], name=name, like=value, shape=sizes)
    graph.insert_before(before, node)
    return node.outputs[0]


def redirect(old: ir.Value, new: ir.Value) -> None:
    """Make every reader of ``old``, and the graph's outputs, use ``new``.

    A graph output keeps its name: ``new`` takes it over.
    """
    is_output = old.is_graph_output()
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    if is_output:
        name, old.name = old.name, f"{old.name}_before"
        new.name = name


def _free_name(graph: ir.Graph, name: str) -> str:
    taken = graph.initializers
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
