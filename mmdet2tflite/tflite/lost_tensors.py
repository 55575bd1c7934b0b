"""Tensors that a converter forgot to compute.

onnx2tf 2.6.9 takes away the TRANSPOSE that brings a tensor's channels to the front when all it
sees is the one that takes them back, and leaves other readers of that tensor with nothing (LiteRT:
"Input tensor N lacks data"). What it was made of is still there.
"""

from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import constant, operator_name
from mmdet2tflite.tflite.moves import channels_first, new_transpose, shape_of

CHANNELS_LAST_RANKS = (4, 5)
LAST = "_input_nhwc"
"""Ends the name of a tensor that onnx2tf has put in N x H x W x C for a reader."""
BRIDGE = "_nhwc_bridge"
"""Ends the name of a tensor that onnx2tf computes in N x H x W x C in place of one."""
INPUT = "_onnx_ncx_internal"
"""Ends the name of an input put in N x C x H x W."""


def restore_lost(model: schema.ModelT) -> int:
    """Compute what nothing computes, in place.

    1. A tensor is lost if it is read, or an output, and is no constant, no input, and no operator's
       result.
    2. A lost map is the transpose of its twin: the input that it is named after, the tensor that is
       named after it (``BRIDGE``), or the only tensor named as ``LAST`` that has its sides,
       channels last, and is computed by something else than a TRANSPOSE. A TRANSPOSE right behind
       the twin brings it back.
    3. One without such a twin, or read before the twin is there, stays lost.

    Returns:
        How many were restored.
    """
    graph = model.subgraphs[0]
    restored = 0
    for number in _lost(model):
        twin = _twin(model, number)
        places = [place for place, o in enumerate(graph.operators) if number in o.inputs]
        behind = 0 if twin is None else _place(graph, twin) + 1
        if twin is None or behind > min(places, default=len(graph.operators)):
            continue
        order = channels_first(len(shape_of(graph, number)))
        graph.operators.insert(behind, new_transpose(model, twin, order, number))
        restored += 1
    return restored


def _lost(model: schema.ModelT) -> list[int]:
    """Rule 1, each once."""
    graph = model.subgraphs[0]
    there = {int(n) for o in graph.operators for n in o.outputs} | {int(n) for n in graph.inputs}
    read = [int(n) for o in graph.operators for n in o.inputs if n >= 0]
    return [
        number
        for number in dict.fromkeys([*read, *map(int, graph.outputs)])
        if number not in there and constant(model, graph.tensors[number]) is None
    ]


def _twin(model: schema.ModelT, number: int) -> int | None:
    """Rule 2."""
    graph = model.subgraphs[0]
    lost, shape = graph.tensors[number], shape_of(graph, number)
    if len(shape) not in CHANNELS_LAST_RANKS:
        return None
    sides, found = [shape[0], *shape[2:], shape[1]], []
    own = lost.name.decode()
    for other, tensor in enumerate(graph.tensors):
        if tensor.type != lost.type or shape_of(graph, other) != sides:
            continue
        name, place = tensor.name.decode(), _place(graph, other)
        if other in graph.inputs:
            is_twin = own == name + INPUT
        elif name == own + BRIDGE and place >= 0:
            return other
        else:
            computed = place >= 0 and operator_name(model, graph.operators[place]) != "TRANSPOSE"
            is_twin = computed and name.endswith(LAST)
        if is_twin:
            found.append(other)
    return found[0] if len(found) == 1 else None


def _place(graph: schema.SubGraphT, number: int) -> int:
    """Of the operator that computes a tensor; -1 if none does."""
    return next((place for place, o in enumerate(graph.operators) if number in o.outputs), -1)
