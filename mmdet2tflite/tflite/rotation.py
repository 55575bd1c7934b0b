"""Rotates a file's input and outputs by 180°: the same picture goes in, the same maps come out.

A file made of a rotated network wants its input rotated by 180° and gives rotated maps. Two more
rotations around it, each one REVERSE_V2 over height and width, cancel both.

1. Behind the input: every reader of the input tensor reads a new tensor, which one REVERSE_V2 over
   height and width makes of it.
2. Before an output: whatever wrote and read the output tensor uses a new tensor, of which one
   REVERSE_V2 makes the output.
3. The tensors that the graph and its signatures name stay as they are (name, shape, type,
   quantisation, index); the new ones are inner ones.
4. An output that is the input itself is rotated by both rules, which is nothing; other readers of
   the input follow rule 1. By one rule alone it would need two contents: that is refused.

5. Removed again, the rotations leave the model that was there before them: readers of the rotated
   input read the input (rule 1), and the output takes the place of the tensor that was rotated into
   it (rule 2). A rotation of the network's own that lies there is removed like one of ours; put
   back, it computes the same.

REVERSE_V2 moves values and computes nothing, so any type and any quantisation passes unchanged.
"""

from collections.abc import Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.errors import ModelError
from mmdet2tflite.tflite.flatbuffer import (
    constant,
    copy_tensor,
    new_constant,
    new_operator,
    operator_name,
)
from mmdet2tflite.tflite.moves import redirect, shape_of
from mmdet2tflite.tflite.unused import drop_unused_tensors

NHWC_AXES = (1, 2)
"""Height and width of NHWC."""

type Axes = tuple[int, int]


def rotate_io(model: schema.ModelT, *, inputs: bool, outputs: Mapping[str, Axes]) -> None:
    """Rotate the inputs and the named outputs by 180°, in place.

    Args:
        model: its inputs of rank 4 are N x H x W x C; the named outputs are of rank 4.
        inputs: whether to rotate them; other inputs stay.
        outputs: which axes of which output are height and width: (1, 2) for NHWC.

    Raises:
        ModelError: no input is of rank 4, an output is not there or not of rank 4, or an output is
            an input and only one of them is to be rotated. The model is then unchanged.
    """
    graph = model.subgraphs[0]
    named = {_find_output(graph, name): axes for name, axes in outputs.items()}
    entrances = _find_inputs(graph) if inputs else []
    for index in (*entrances, *named):
        _check_rank(graph, index)
    through = set(graph.inputs) & set(graph.outputs)
    for index in through & (set(entrances) ^ set(named)):  # rule 4
        raise ModelError(
            f"output {_name(graph.tensors[index])} is the input itself",
            "both or none of the two rotated",
            "leave it out of the model's outputs",
        )
    named = {index: axes for index, axes in named.items() if index not in through}
    if not entrances and not named:
        return
    wanted = sorted({*named.values(), *(NHWC_AXES for _ in entrances)})
    constants = {
        axes: new_constant(model, "spatial_axes", np.array(axes, np.int32)) for axes in wanted
    }
    for index in entrances:
        _rotate_input(model, index, constants[NHWC_AXES])
    for index, axes in named.items():
        _rotate_output(model, index, constants[axes])


def remove_io_rotations(model: schema.ModelT) -> tuple[bool, dict[str, Axes]]:
    """Undo ``rotate_io`` in place: what is left wants its input rotated, and gives rotated maps.

    Returns:
        What ``rotate_io`` takes to put the rotations back: its ``inputs`` and ``outputs``.
    """
    graph = model.subgraphs[0]
    inputs = any([_unrotate_input(model, int(index)) for index in graph.inputs])
    found = {int(index): _unrotate_output(model, int(index)) for index in graph.outputs}
    outputs = {_name(graph.tensors[index]): axes for index, axes in found.items() if axes}
    if inputs:  # rule 4
        for index in set(graph.inputs) & set(graph.outputs):
            outputs[_name(graph.tensors[index])] = NHWC_AXES
    if inputs or outputs:
        drop_unused_tensors(model)
    return inputs, outputs


def _unrotate_input(model: schema.ModelT, index: int) -> bool:
    """Remove the rotation of an input that nothing else reads."""
    graph = model.subgraphs[0]
    readers = [operator for operator in graph.operators if index in operator.inputs]
    if len(readers) != 1 or _axes_of_reverse_v2(model, readers[0]) != NHWC_AXES:
        return False
    inner = int(readers[0].outputs[0])
    if inner in graph.outputs:
        return False
    graph.operators.remove(readers[0])
    redirect(graph.operators, inner, index, written=False)
    return True


def _unrotate_output(model: schema.ModelT, index: int) -> Axes | None:
    """Remove the rotation that makes an output which nothing else reads."""
    graph = model.subgraphs[0]
    writers = [operator for operator in graph.operators if index in operator.outputs]
    axes = _axes_of_reverse_v2(model, writers[0]) if writers else None
    if axes is None or any(index in operator.inputs for operator in graph.operators):
        return None
    inner = int(writers[0].inputs[0])
    if inner in graph.outputs or inner in graph.inputs:
        return None
    graph.operators.remove(writers[0])
    redirect(graph.operators, inner, index)
    graph.tensors[index].buffer = graph.tensors[inner].buffer  # of a constant output
    return axes


def _axes_of_reverse_v2(model: schema.ModelT, operator: schema.OperatorT) -> Axes | None:
    """The axes of a REVERSE_V2 along two known ones; None of any other operator."""
    if operator_name(model, operator) != "REVERSE_V2":
        return None
    axes = constant(model, model.subgraphs[0].tensors[operator.inputs[1]])
    if axes is None or axes.size != 2:
        return None
    first, second = (int(axis) for axis in axes)
    return first, second


def _rotate_input(model: schema.ModelT, index: int, axes: int) -> None:
    graph = model.subgraphs[0]
    inner = copy_tensor(graph, index, "_rotated")
    redirect(graph.operators, index, inner, written=False)  # rule 1
    graph.operators.insert(0, _reverse_v2(model, index, axes, inner))


def _rotate_output(model: schema.ModelT, index: int, axes: int) -> None:
    graph = model.subgraphs[0]
    inner = copy_tensor(graph, index, "_rotated")
    redirect(graph.operators, index, inner)  # rule 2
    graph.tensors[index].buffer = 0  # a constant output is computed from now on
    graph.operators.append(_reverse_v2(model, inner, axes, index))


def _reverse_v2(model: schema.ModelT, source: int, axes: int, target: int) -> schema.OperatorT:
    # Versions as in GetBuiltinOperatorVersion (TensorFlow Lite's op_version.cc).
    kind = model.subgraphs[0].tensors[source].type
    return new_operator(
        model,
        schema.BuiltinOperator.REVERSE_V2,
        3 if kind == schema.TensorType.INT8 else 1,
        schema.ReverseV2OptionsT(),
        [source, axes],
        target,
    )


def _find_inputs(graph: schema.SubGraphT) -> list[int]:
    """Those of rank 4, or all if there are none, which is then refused."""
    numbers = [int(number) for number in graph.inputs]
    maps = [number for number in numbers if len(shape_of(graph, number)) == 4]
    return maps or numbers


def _find_output(graph: schema.SubGraphT, name: str) -> int:
    names = {_name(graph.tensors[index]): int(index) for index in graph.outputs}
    if name not in names:
        raise ModelError(f"the file has the outputs {', '.join(names)}", f"an output named {name}")
    return names[name]


def _check_rank(graph: schema.SubGraphT, index: int) -> None:
    shape = shape_of(graph, index)
    if len(shape) != 4:
        raise ModelError(
            f"{_name(graph.tensors[index])} has the shape {shape}",
            "four axes, two of them height and width, to be rotated",
            "cut the network where its outputs are still maps",
        )


def _name(tensor: schema.TensorT) -> str:
    return str(tensor.name.decode())
