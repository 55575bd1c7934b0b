"""How long the operators of a TFLite file take, to say which ones make a file slow.

LiteRT's Python package has no profiler. Operators become files of their own instead, with their
constants and their shapes, and are run as LiteRT would run them: those together that XNNPACK
computes as one (``computed_together``), for a table look-up in place of three operators cannot be
seen in any of the three. What it takes to call LiteRT at all, once for each, is taken off. That
leaves out the border between delegate and builtin kernels, and what of a map is still in the cache
when the next operator reads it, so the sum is near the file's latency, not equal to it: 0.9 to 1.1.

An operator that reads nothing but constants (DEQUANTIZE of float16 or int8 weights) runs once, when
the file is loaded. It is not listed, and comes along with the operator that reads what it makes.
"""

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.computed_together import CONVERSIONS, Group, find_groups
from mmdet2tflite.tflite.flatbuffer import constant, new_operator, operator_name, serialise
from mmdet2tflite.tflite.pads import PADDING_OPERATORS

WARMUP, RUNS = 3, 15
NONE = -1
"""Index of an optional input that is left out."""
BESIDE = (*CONVERSIONS, *PADDING_OPERATORS)
"""Operators that do not name what they are computed with, so that it has one name in a float32 file
and in those that were made of it."""


@dataclass(frozen=True)
class OperatorTime:
    """One operator of subgraph 0, or several that are computed as one.

    Args:
        operator: ``CONV_2D``, ``LOGISTIC, MUL``, or a custom operator's name.
        layer: name of the output of the last one that is named.
        shape: of that output, as in the file (NHWC).
        milliseconds: processor time of the fastest of 15 runs on one thread. Waiting for other
            processes does not count, and what they do to the caches can only add to it.
    """

    operator: str
    layer: str
    shape: tuple[int, ...]
    milliseconds: float


def operator_times(model: schema.ModelT) -> list[OperatorTime]:
    """Every operator that computes something, in the file's order, with LiteRT's XNNPACK.

    One that LiteRT does not run by itself is left out: the file as a whole did run.
    """
    graph = model.subgraphs[0]
    once = run_once(model)
    running = [each for each in graph.operators if int(each.outputs[0]) not in once]
    call = _fastest(serialise(_nothing()))
    found = []
    for group in find_groups(model, running):
        try:
            milliseconds = _fastest(serialise(alone(model, group.operators, once)))
        except (RuntimeError, ValueError):  # LiteRT's refusals are of no other kind
            continue
        names, output = _named(model, group)
        shape = () if output.shape is None else tuple(int(side) for side in output.shape)
        taken = max(0.0, milliseconds - call)
        found.append(OperatorTime(names, output.name.decode(), shape, taken))
    return found


def _named(model: schema.ModelT, group: Group) -> tuple[str, schema.TensorT]:
    """What a group is called, and the output of the last operator that it is called after."""
    named = [(operator_name(model, operator), operator) for operator in group.operators]
    naming = [pair for pair in named if pair[0] not in BESIDE] or named
    output = naming[-1][1].outputs[0]
    return ", ".join(name for name, _ in naming), model.subgraphs[0].tensors[output]


def run_once(model: schema.ModelT) -> dict[int, schema.OperatorT]:
    """Operators of subgraph 0 that read nothing but constants, by the tensors that they write."""
    graph = model.subgraphs[0]
    found: dict[int, schema.OperatorT] = {}
    for operator in graph.operators:
        read = [int(i) for i in operator.inputs if i != NONE]
        if read and all(i in found or constant(model, graph.tensors[i]) is not None for i in read):
            found |= {int(index): operator for index in operator.outputs}
    return found


def alone(
    model: schema.ModelT,
    together: Sequence[schema.OperatorT],
    once: Mapping[int, schema.OperatorT],
) -> schema.ModelT:
    """A model of these operators of subgraph 0 and of what runs ``once`` for them.

    Whatever is neither a constant nor made of constants nor written by them becomes an input, what
    others read or the graph gives an output.
    """
    graph = model.subgraphs[0]
    operators = [*_made_of_constants(once, together), *together]
    written = {int(i) for each in operators for i in each.outputs}
    used = [int(i) for each in operators for i in (*each.inputs, *each.outputs) if i != NONE]
    place = {index: new for new, index in enumerate(dict.fromkeys(used))} | {NONE: NONE}
    buffers, tensors, inputs = [schema.BufferT()], [], []
    for index, new in place.items():
        if index == NONE:
            continue
        tensor = copy.copy(graph.tensors[index])
        buffer = model.buffers[tensor.buffer]
        if constant(model, tensor) is None:
            tensor.buffer = 0
            if index not in written:
                inputs.append(new)
        else:
            tensor.buffer = len(buffers)
            buffers.append(buffer)
        tensors.append(tensor)
    subgraph, result = schema.SubGraphT(), schema.ModelT()
    subgraph.tensors = tensors
    subgraph.operators = [_moved(each, place) for each in operators]
    subgraph.inputs = np.array(inputs, np.int32)
    outputs = list(_read_by_others(graph, together))
    subgraph.outputs = np.array([place[index] for index in outputs], np.int32)
    result.version, result.operatorCodes = model.version, model.operatorCodes
    result.buffers, result.subgraphs = buffers, [subgraph]
    return result


def _read_by_others(graph: schema.SubGraphT, together: Sequence[schema.OperatorT]) -> Iterator[int]:
    """What these operators write and others read; all that the last one writes if nobody does."""
    own = {id(operator) for operator in together}
    read = {int(index) for index in graph.outputs}
    for operator in graph.operators:
        if id(operator) not in own:
            read |= {int(index) for index in operator.inputs}
    written = [int(index) for operator in together for index in operator.outputs]
    found = [index for index in written if index in read]
    yield from found or map(int, together[-1].outputs)


def _made_of_constants(
    once: Mapping[int, schema.OperatorT], operators: Sequence[schema.OperatorT]
) -> list[schema.OperatorT]:
    """What operators need of ``run_once``, in the order of running."""
    read = [int(index) for operator in operators for index in operator.inputs]
    needed = [once[index] for index in read if index in once]
    earlier = _made_of_constants(once, needed) if needed else []
    return list({id(each): each for each in [*earlier, *needed]}.values())


def _moved(operator: schema.OperatorT, place: Mapping[int, int]) -> schema.OperatorT:
    """The same operator in a model that has its tensors in other places."""
    moved = copy.copy(operator)
    moved.inputs, moved.outputs = (
        np.array([place[int(index)] for index in indices], np.int32)
        for indices in (operator.inputs, operator.outputs)
    )
    return moved


def _nothing() -> schema.ModelT:
    """The magnitude of one number: a file that takes no time but for being called."""
    model = schema.ModelT()
    model.version, model.buffers, model.operatorCodes = 3, [schema.BufferT()], []
    graph = schema.SubGraphT()
    graph.tensors = []
    for name in (b"in", b"out"):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, np.ones(1, np.int32), 0
        graph.tensors.append(tensor)
    options = schema.AbsOptionsT()
    graph.operators = [new_operator(model, schema.BuiltinOperator.ABS, 1, options, [0], 1)]
    graph.inputs, graph.outputs = np.array([0], np.int32), np.array([1], np.int32)
    model.subgraphs = [graph]
    return model


def _fastest(content: bytes) -> float:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    nanoseconds = []
    for _ in range(WARMUP + RUNS):
        start = time.thread_time_ns()
        interpreter.invoke()
        nanoseconds.append(time.thread_time_ns() - start)
    return min(nanoseconds[WARMUP:]) / 1e6
