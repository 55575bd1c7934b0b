"""Reading and changing ``onnx_ir`` graphs: constants, static shapes, attributes, new nodes."""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError

type Array = NDArray[np.generic]


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
    attributes: dict[str, ir.Attr | int | float | str | Sequence[int]] | None = None,
    *,
    name: str,
    like: ir.Value,
    shape: Sequence[int],
) -> ir.Node:
    """A node with one output of the type of ``like``; insert it before what reads it.

    Its output is called ``<name>_output``.
    """
    node = ir.node(op_type, inputs, attributes or {}, name=name)
    output = node.outputs[0]
    output.name, output.type, output.shape = f"{name}_output", like.type, ir.Shape(shape)
    return node


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
