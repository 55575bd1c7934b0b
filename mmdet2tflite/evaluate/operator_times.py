"""How long each operator of a TFLite file takes by itself, to say which ones make a file slow.

LiteRT's Python package has no profiler. Each operator becomes a file of its own instead, with its
constants and its shapes, and is run as LiteRT would run it. That leaves out what the whole file
gains or loses by its neighbours (fused activations of a delegate, the border between delegate and
builtin kernels), so the sum is near the file's latency, not equal to it.
"""

import copy
import time
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.convert.flatbuffer import constant, operator_name, serialise

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

    Raises:
        ValueError, RuntimeError: LiteRT cannot run one of them.
    """
    graph = model.subgraphs[0]
    found = []
    for operator in graph.operators:
        output = graph.tensors[operator.outputs[0]]
        shape = () if output.shape is None else tuple(int(side) for side in output.shape)
        found.append(
            OperatorTime(
                operator_name(model, operator),
                output.name.decode(),
                shape,
                _fastest(serialise(alone(model, operator))),
            )
        )
    return found


def alone(model: schema.ModelT, operator: schema.OperatorT) -> schema.ModelT:
    """A model of this operator of subgraph 0 only; what is no constant becomes an input."""
    graph = model.subgraphs[0]
    used = [int(i) for i in (*operator.inputs, *operator.outputs) if i != NONE]
    place = {index: new for new, index in enumerate(dict.fromkeys(used))} | {NONE: NONE}
    buffers, tensors, inputs = [schema.BufferT()], [], []
    for index, new in place.items():
        if index == NONE:
            continue
        tensor = copy.copy(graph.tensors[index])
        buffer = model.buffers[tensor.buffer]
        if constant(model, tensor) is None:
            tensor.buffer = 0
            if index not in operator.outputs:
                inputs.append(new)
        else:
            tensor.buffer = len(buffers)
            buffers.append(buffer)
        tensors.append(tensor)
    single, subgraph, result = copy.copy(operator), schema.SubGraphT(), schema.ModelT()
    single.inputs, single.outputs, subgraph.outputs = (
        np.array([place[int(i)] for i in indices], np.int32)
        for indices in (operator.inputs, operator.outputs, operator.outputs)
    )
    subgraph.tensors, subgraph.operators = tensors, [single]
    subgraph.inputs = np.array(inputs, np.int32)
    result.version, result.operatorCodes = model.version, model.operatorCodes
    result.buffers, result.subgraphs = buffers, [subgraph]
    return result


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
