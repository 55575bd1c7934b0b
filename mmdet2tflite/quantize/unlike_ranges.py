"""Which operators at a network's end stay real: those that join values of unlike ranges.

TFLite gives all inputs of a CONCATENATION one scale. A YOLOX export that ends in boxes (-5 to 5, or
hundreds of pixels once they are decoded), objectness and probabilities (0 to 1) side by side leaves
few levels to the probabilities, or none: then every score is 0.

1. The *end* of a network is what no operator with weights comes after; nothing there is worth
   integers, whose gain is in multiplications.
2. A CONCATENATION at the end joins unlike ranges if one of its inputs keeps fewer than
   ``ENOUGH_LEVELS`` levels. With b bits, an input of range r keeps r / (R / (2^b - 1)), where R is
   the range of all inputs together, from -m to m if integers are symmetric. Ranges are the
   calibrated ones, and hold 0, as the quantiser has them.
3. Such a CONCATENATION stays real, and with it all that is computed of it up to the outputs. Each
   of its inputs is made real by its own scale.
4. Where outputs are integers, the output has one scale whatever is done: nothing stays real.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.quantize.layer_groups import WEIGHTED, Layer
from mmdet2tflite.quantize.precisions import Recipe, keep_real
from mmdet2tflite.tflite.flatbuffer import operator_name

ENOUGH_LEVELS = 64
"""A quarter of those of int8: an input below has lost more than two of its eight bits, 12 dB."""
MULTIPLYING = (*WEIGHTED, "BATCH_MATMUL")
JOIN = "CONCATENATION"


@dataclass(frozen=True)
class Unlike:
    """A CONCATENATION of unlike ranges.

    Args:
        operator: the tensor that it writes.
        poorest: the input that keeps the fewest levels, and how many that are.
        real: the tensors that it and all operators after it write.
    """

    operator: str
    poorest: str
    levels: float
    real: tuple[str, ...]


def leave_unlike(recipe: Recipe, found: Sequence[Unlike]) -> Recipe:
    """The recipe without what stays real (rule 3)."""
    return keep_real(recipe, _real(found)) if found else recipe


def layers_before(layers: Sequence[Layer], found: Sequence[Unlike]) -> list[Layer]:
    """The layers of which something is quantised."""
    return [layer for layer in layers if layer.name not in _real(found)]


def _real(found: Sequence[Unlike]) -> dict[str, None]:
    """The names of rule 3, each once."""
    return {name: None for each in found for name in each.real}


def describe_unlike(found: Sequence[Unlike]) -> str:
    """What stays real, and why, in a sentence; empty if nothing does."""
    if not found:
        return ""
    worst = min(found, key=lambda each: each.levels)
    names = ", ".join(each.operator for each in found)
    return (
        f"{len(_real(found))} operators at the end stay in float32, from {names} ({JOIN}) on: with "
        f"one scale for all that {worst.operator} joins, {worst.poorest} would keep "
        f"{worst.levels:.0f} levels"
    )


def find_unlike(
    model: schema.ModelT, statistics: Mapping[str, Any] | None, recipe: Recipe
) -> list[Unlike]:
    """Rules 1 to 4, in the file's order; none without ranges.

    Args:
        model: float32.
        statistics: calibrated ``min`` and ``max`` by tensor.
        recipe: how the file is to be quantised.
    """
    if not statistics or not _real_outputs(recipe):  # rule 4
        return []
    graph, found = model.subgraphs[0], []
    for operator in graph.operators:
        if operator_name(model, operator) != JOIN:
            continue
        after = list(_after(model, operator))
        if any(operator_name(model, each) in MULTIPLYING for each in after):  # rule 1
            continue
        names = [graph.tensors[index].name.decode() for index in operator.inputs]
        if not all(name in statistics for name in names):
            continue
        levels = _levels({name: statistics[name] for name in names}, recipe)
        poorest = min(levels, key=lambda name: levels[name])
        if levels[poorest] < ENOUGH_LEVELS:  # rules 2 and 3
            written = [graph.tensors[each.outputs[0]].name.decode() for each in after]
            found.append(Unlike(written[0], poorest, levels[poorest], tuple(written)))
    return found


def _after(model: schema.ModelT, first: schema.OperatorT) -> Iterator[schema.OperatorT]:
    """An operator and all that are computed of it, in the file's order."""
    computed: set[int] = set()
    for operator in model.subgraphs[0].operators:
        if operator is first or computed & {int(index) for index in operator.inputs}:
            computed |= {int(index) for index in operator.outputs}
            yield operator


def _real_outputs(recipe: Recipe) -> bool:
    return any(
        entry["operation"] == "OUTPUT" and entry["algorithm_key"] == "no_quantize"
        for entry in recipe
    )


def _levels(ranges: Mapping[str, Any], recipe: Recipe) -> dict[str, float]:
    """Rule 2."""
    (activations,) = {
        (settings["num_bits"], settings["symmetric"])
        for entry in recipe
        if (settings := entry["op_config"].get("activation_tensor_config"))
    }
    bits, symmetric = activations
    low, high = _ends(ranges.values())
    step = (2 * max(-low, high) if symmetric else high - low) / (2**bits - 1)
    spans = {name: -np.subtract(*_ends([each])) for name, each in ranges.items()}
    # Of an input that is 0 throughout, nothing can be lost.
    return {name: span / step if span else float("inf") for name, span in spans.items()}


def _ends(ranges: Iterable[Any]) -> tuple[float, float]:
    """The lowest and the highest number of all ranges and 0."""
    lows, highs = zip(*((np.min(each["min"]), np.max(each["max"])) for each in ranges), strict=True)
    return float(min(0, *lows)), float(max(0, *highs))
