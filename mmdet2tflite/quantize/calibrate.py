"""Ranges of a float32 model's tensors, from samples, as litert-quantizer takes them.

1. Before 8-bit activations, channels are scaled to like ranges (``equalise``), as the first few
   samples have them.
2. Where padding flags stand for the true pads, the ranges are those of the reference backend: of
   the model with its PADs put back. Both have the same tensors but for the padded ones.
3. What only LOGISTIC reads is cut off where its 8-bit result hardly changes (``SATURATED``).
"""

from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from itertools import chain, islice
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.processes.machine import cores
from mmdet2tflite.quantize.equalise.equalise import equalise_channels
from mmdet2tflite.quantize.precisions import BITS, Precision
from mmdet2tflite.runtime.decode import Floats
from mmdet2tflite.tflite.flatbuffer import operator_name, parse_model, serialise
from mmdet2tflite.tflite.padding_flag import put_pads_back

FIRST = 32
"""Samples that are looked at more than once: by rule 1, and by the choice of layers."""
SATURATED = float(np.log(511))
"""Where LOGISTIC is half of its 8-bit result's step of 1/256 away from 0, or from 1."""


@dataclass(frozen=True)
class Calibrated:
    """What samples say of a model.

    Args:
        statistics: litert-quantizer's, ``min`` and ``max`` by tensor.
        first: a few of the samples.
        scaled: names of the tensors whose channels were scaled.
    """

    statistics: dict[str, Any]
    first: Sequence[Floats]
    scaled: Sequence[str]


def calibrate(model: schema.ModelT, precision: Precision, samples: Iterable[Floats]) -> Calibrated:
    """Take the ranges, and scale the model's channels in place where rule 1 says so.

    Args:
        model: float32, with one input and a signature.
        samples: inputs as it wants them (1 x H x W x C), at least one, each seen once.
    """
    samples = iter(samples)
    first = list(islice(samples, FIRST))
    scaled: list[str] = []
    if precision.bits == BITS:
        scaled = equalise_channels(model, as_it_computes(model), first)
    statistics = _ranges(model, precision, chain(first, samples))
    if precision.bits == BITS:
        _cut_off_saturated(model, statistics)
    return Calibrated(statistics, first, scaled)


def as_it_computes(model: schema.ModelT) -> bytes:
    """Rule 2: the file as the reference backend sees it."""
    padded = parse_model(serialise(model), "the float32 file")
    put_pads_back(padded)
    return serialise(padded)


def _ranges(
    model: schema.ModelT, precision: Precision, samples: Iterable[Floats]
) -> dict[str, Any]:
    from litert_quantizer import calibrator, recipe_manager
    from litert_quantizer.utils import qsv_utils

    signature = model.signatureDefs[0]
    key, name = signature.signatureKey.decode(), signature.inputs[0].name.decode()
    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(precision.recipe())
    update = qsv_utils.min_max_update if precision.ranges == "extremes" else _average
    tool = calibrator.Calibrator(as_it_computes(model), num_threads=cores(), qsv_update_func=update)
    for sample in samples:
        # One by one: given all at once, it puts them into a list to count them, which takes the
        # memory of all, and of a generator leaves none.
        with redirect_stderr(StringIO()):  # a progress bar that cannot be switched off
            tool.calibrate({key: [{name: np.ascontiguousarray(sample)}]}, manager)
    return dict(tool.get_model_qsvs())


def _average(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The mean of all images' extremes: in any order of the images the same."""
    count = old.get("count", 1)
    mean = {end: old[end] + (new[end] - old[end]) / (count + 1) for end in ("min", "max")}
    return mean | {"count": count + 1}


def _cut_off_saturated(model: schema.ModelT, statistics: dict[str, Any]) -> None:
    """Rule 3, in place."""
    readers: dict[int, set[str]] = {}
    for operator in model.subgraphs[0].operators:
        for index in operator.inputs:
            readers.setdefault(int(index), set()).add(operator_name(model, operator))
    for index in model.subgraphs[0].outputs:
        readers.pop(int(index), None)
    for index, names in readers.items():
        name = model.subgraphs[0].tensors[index].name.decode()
        if names == {"LOGISTIC"} and name in statistics:
            range_ = statistics[name]
            range_["min"] = np.maximum(range_["min"], -SATURATED)
            range_["max"] = np.minimum(range_["max"], SATURATED)
