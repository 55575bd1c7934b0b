"""Which tensors of an int8 file have one scale, and which scales are not to be learnt.

1. An operator of ``KEEPS_SCALE`` ties its quantised inputs and outputs together. If their scales or
   zero points differ in the file, integers would change their meaning on the way: that is refused.
2. Never learnt are the scales of a tie with a tensor whose scale is stated elsewhere: what an
   operator of ``FIXED_SCALE`` writes, the graph's inputs, the QUANTIZE of an input (a picture's
   256 levels are exact as they are), and constants that are no weights.
3. A bias is one operator's own: its scale is that of this operator's products. Those that several
   operators read are copied first.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.quantize.tuning.steps import Step, refused
from mmdet2tflite.quantize.tuning.table import FIXED_SCALE, KEEPS_SCALE, WEIGHTED
from mmdet2tflite.tflite.flatbuffer import constant, copy_tensor, operator_name


@dataclass(frozen=True)
class Sharing:
    """The ties of a graph.

    Args:
        leader: of each quantised tensor, the least number of those tied to it.
        learnt: leaders whose scale is learnt; of weights, each stands alone.
    """

    leader: dict[int, int]
    learnt: frozenset[int]


def find_sharing(model: schema.ModelT, steps: Sequence[Step]) -> Sharing:
    """The ties of subgraph 0.

    Raises:
        ModelError: tied tensors have different scales (rule 1).
    """
    graph = model.subgraphs[0]
    leader: dict[int, int] = {}
    fixed: set[int] = set()

    def find(index: int) -> int:
        leader.setdefault(index, index)
        while leader[index] != index:
            index = leader[index]
        return index

    for step in steps:
        quantised = _quantised(step)
        for index in quantised:
            find(index)
        if step.name in KEEPS_SCALE and quantised:
            _check_tie(graph, step, quantised)
            least = min(find(index) for index in quantised)
            for index in quantised:
                leader[find(index)] = least
        from_input = step.name == "QUANTIZE" and step.inputs[0] in graph.inputs
        if step.name in FIXED_SCALE or from_input:
            fixed.update(quantised[-1:] if step.grid else ())
        weights = {step.inputs[WEIGHTED[step.name][1]]} if step.name in WEIGHTED else set()
        fixed.update(
            index
            for index in set(quantised) - weights
            if index in graph.inputs or constant(model, graph.tensors[index]) is not None
        )
    leaders = {index: find(index) for index in leader}
    return Sharing(leaders, frozenset(leaders.values()) - {leaders[index] for index in fixed})


def own_biases(model: schema.ModelT) -> None:
    """Rule 3, in place."""
    graph = model.subgraphs[0]
    seen: set[int] = set()
    for operator in graph.operators:
        name = operator_name(model, operator)
        if name not in WEIGHTED or len(operator.inputs) <= WEIGHTED[name][2]:
            continue
        inputs = [int(index) for index in operator.inputs]
        index = inputs[WEIGHTED[name][2]]
        if index in seen:
            index = copy_tensor(graph, index, "_own")
            tensor = graph.tensors[index]
            tensor.quantization = copy.copy(tensor.quantization)
            inputs[WEIGHTED[name][2]] = index
            operator.inputs = inputs
        if index >= 0:
            seen.add(index)


def _quantised(step: Step) -> list[int]:
    """Numbers of quantised inputs and outputs, those last."""
    pairs = zip((*step.inputs, *step.outputs), (*step.input_grids, *step.grids), strict=True)
    return [index for index, grid in pairs if grid is not None]


def _check_tie(graph: schema.SubGraphT, step: Step, quantised: Sequence[int]) -> None:
    tensors = [graph.tensors[index].quantization for index in quantised]
    if len({(float(t.scale[0]), int(t.zeroPoint[0])) for t in tensors}) > 1:
        raise refused(step.name, "its inputs and outputs have different scales")
