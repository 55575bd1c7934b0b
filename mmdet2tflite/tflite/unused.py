"""Tensors and constants that nothing names any more."""

from collections.abc import Collection

import numpy as np
from ai_edge_litert import schema_py_generated as schema


def drop_unused_tensors(model: schema.ModelT) -> None:
    """Remove the main graph's tensors that nothing names, and number the others anew."""
    graph = model.subgraphs[0]
    entries = [
        entry
        for signature in model.signatureDefs or ()
        if signature.subgraphIndex == 0
        for entry in (*signature.inputs, *signature.outputs)
    ]
    used = {int(entry.tensorIndex) for entry in entries} | {int(i) for i in graph.inputs}
    used |= {int(index) for index in graph.outputs}
    for operator in graph.operators:
        used |= {int(index) for index in (*operator.inputs, *operator.outputs)}
    kept = [index for index in range(len(graph.tensors)) if index in used]
    number = {old: new for new, old in enumerate(kept)} | {-1: -1}  # -1: an operand left out
    graph.tensors = [graph.tensors[index] for index in kept]
    for owner in (graph, *graph.operators):
        owner.inputs = np.array([number[int(index)] for index in owner.inputs], np.int32)
        owner.outputs = np.array([number[int(index)] for index in owner.outputs], np.int32)
    for entry in entries:
        entry.tensorIndex = number[int(entry.tensorIndex)]


def empty_unused(model: schema.ModelT, buffers: Collection[int]) -> None:
    """Take out the content of those of these buffers that no tensor has any more.

    Args:
        buffers: numbers of constants' buffers; metadata has others.
    """
    used = {int(tensor.buffer) for graph in model.subgraphs for tensor in graph.tensors}
    for number in set(buffers) - used:
        model.buffers[number].data = None
