"""How long each operator of a TFLite file takes by itself, to say which ones make a file slow.

LiteRT's Python package has no profiler. Each operator becomes a file of its own instead, with its
constants and its shapes, and is run as LiteRT would run it. That leaves out what the whole file
gains or loses by its neighbours (fused activations of a delegate, the border between delegate and
builtin kernels), so the sum is near the file's latency, not equal to it.

An operator that reads nothing but constants (DEQUANTIZE of float16 or int8 weights) runs once, when
the file is loaded. It is not listed, and comes along with the operator that reads what it makes.
"""

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import constant, operator_name, serialise

WARMUP, RUNS = 3, 15
NONE = -1
"""Index of an optional input that is left out."""


@dataclass(frozen=True)
class OperatorTime:
    """One operator of subgraph 0.

    Args:
        operator: ``CONV_2D``, or a custom operator's name.
        layer: name of its first output.
        shape: of that output, as in the file (NHWC).
        milliseconds: the fastest of 15 runs on one thread; what else the machine does can only
            add to it.
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
    found = []
    for operator in graph.operators:
        if int(operator.outputs[0]) in once:
            continue
        try:
            milliseconds = _fastest(serialise(alone(model, operator, once)))
        except (RuntimeError, ValueError):  # LiteRT's refusals are of no other kind
            continue
        output = graph.tensors[operator.outputs[0]]
        shape = () if output.shape is None else tuple(int(side) for side in output.shape)
        name = operator_name(model, operator)
        found.append(OperatorTime(name, output.name.decode(), shape, milliseconds))
    return found


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
    model: schema.ModelT, operator: schema.OperatorT, once: Mapping[int, schema.OperatorT]
) -> schema.ModelT:
    """A model of this operator of subgraph 0 and of what runs ``once`` for it.

    Whatever is neither a constant nor made of constants becomes an input.
    """
    graph = model.subgraphs[0]
    operators = [*_made_of_constants(once, operator), operator]
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
    subgraph.outputs = subgraph.operators[-1].outputs
    result.version, result.operatorCodes = model.version, model.operatorCodes
    result.buffers, result.subgraphs = buffers, [subgraph]
    return result


def _made_of_constants(
    once: Mapping[int, schema.OperatorT], operator: schema.OperatorT
) -> list[schema.OperatorT]:
    """What an operator needs of ``run_once``, in the order of running."""
    needed = [once[int(index)] for index in operator.inputs if int(index) in once]
    earlier = [each for one in needed for each in _made_of_constants(once, one)]
    return list({id(each): each for each in [*earlier, *needed]}.values())


def _moved(operator: schema.OperatorT, place: Mapping[int, int]) -> schema.OperatorT:
    """The same operator in a model that has its tensors in other places."""
    moved = copy.copy(operator)
    moved.inputs, moved.outputs = (
        np.array([place[int(index)] for index in indices], np.int32)
        for indices in (operator.inputs, operator.outputs)
    )
    return moved


def _fastest(content: bytes) -> float:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    nanoseconds = []
    for _ in range(WARMUP + RUNS):
        start = time.perf_counter_ns()
        interpreter.invoke()
        nanoseconds.append(time.perf_counter_ns() - start)
    return min(nanoseconds[WARMUP:]) / 1e6
