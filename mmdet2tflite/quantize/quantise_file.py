"""A float32 file of this project becomes one of another precision, and what its layers lose."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.config.names import PrecisionName
from mmdet2tflite.convert.tflite_file import read_passport, write_passport
from mmdet2tflite.errors import ModelError, ParityError
from mmdet2tflite.parity.check import error_metrics
from mmdet2tflite.parity.parity import compare_outputs
from mmdet2tflite.processes.messages import progress
from mmdet2tflite.quantize.layer_errors import snr_by_tensor
from mmdet2tflite.quantize.layer_mix import Budget
from mmdet2tflite.quantize.layer_table import layer_table
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.quantize.quantize_model import Quantised, quantise_model
from mmdet2tflite.quantize.unlike_ranges import describe_unlike
from mmdet2tflite.runtime.decode import Floats
from mmdet2tflite.tflite.flatbuffer import read_model, write_model
from mmdet2tflite.tflite.padding_flag import put_pads_back

TOOLS = ("litert-quantizer", "ai-edge-litert")


def quantise_file(
    source: Path,
    target: Path,
    name: PrecisionName,
    calibration: Iterable[NDArray[np.float32]] | None,
    digest: str,
    budget: Budget | None = None,
) -> Quantised:
    """Write ``target``, with the passport of ``source`` brought up to date.

    Args:
        calibration: inputs as the file wants them; None if the precision takes none.
        digest: of ``source``; goes into the passport.
        budget: that the file has to keep.

    Raises:
        ModelError: the file cannot be quantised.
    """
    quantised = quantise_model(
        read_model(source),
        PRECISIONS[name],
        calibration,
        budget,
        on_layer=lambda done, total: progress(completed=done, total=total, description="layers"),
    )
    passport = read_passport(source)
    passport = replace(
        passport,
        precision=name,
        tools=passport.tools | {tool: version(tool) for tool in TOOLS},
        ancestors=passport.ancestors | {"float32": digest},
    )
    if quantised.unlike:
        print(describe_unlike(quantised.unlike))  # into the log
    write_passport(quantised.model, passport)
    write_model(quantised.model, target)
    return quantised


def describe_layers(
    target: Path, quantised: Quantised, samples: Sequence[Floats]
) -> dict[str, Any]:
    """The content of ``layers.json``; both models as the reference backend computes them."""
    reference, candidate = quantised.reference, read_model(target)
    put_pads_back(candidate)
    layers, mix = quantised.layers, quantised.mix
    names = dict.fromkeys(n for layer in layers for n in (*layer.sources, layer.output))
    snr = snr_by_tensor(reference, candidate, list(names), samples)
    # What stays real anyway was not measured: it makes no noise.
    shares = dict.fromkeys(quantised.real, 0.0) | mix.shares if mix and mix.shares else {}
    return layer_table(layers, snr, shares, quantised.real, len(samples))


def layer_metrics(quantised: Quantised) -> dict[str, float]:
    """With a budget: what it took to keep it, in layers and multiplications of the network."""
    mix, layers = quantised.mix, quantised.layers
    if mix is None:
        return {}
    real = sum(layer.multiplications for layer in layers if layer.name in mix.real)
    return {
        "layers.total": float(len(layers)),
        "layers.float32": float(len(mix.real)),
        "layers.multiplications": real / max(1, sum(layer.multiplications for layer in layers)),
        "budget.loss_in_integers": mix.loss_in_integers,
        "budget.loss": mix.loss,
    }


def check_resemblance(
    reference: Mapping[str, Floats], candidate: Mapping[str, Floats], what: str
) -> dict[str, float]:
    """What a precision costs is for accuracy to tell; a file that is broken has only noise.

    One output may have: where a detector finds nothing at a stride, its box map there means
    nothing, and integers spend their levels on other maps.

    Args:
        reference, candidate: outputs of the float32 file and of the other, by name.
        what: the other, in messages.

    Returns:
        The worst errors as metrics, and the signal-to-noise ratio of each output in dB.

    Raises:
        ModelError: an output is NaN or infinite, or has another shape.
        ParityError: the noise of every output is as strong as its signal (0 dB).
    """
    wrong = [name for name, value in candidate.items() if not np.isfinite(value).all()]
    if wrong:
        raise ModelError(
            f"{what}: the outputs {', '.join(wrong)} hold NaN or infinity",
            "finite numbers",
            "leave this precision out; float16 ends at 65504, which the network's maps may exceed",
        )
    errors = compare_outputs(reference, candidate)
    if all(error.snr_db <= 0 for error in errors.values()):
        raise ParityError(
            f"{what}: of the outputs {', '.join(errors)} no more is left than noise (0 dB)",
            "outputs that resemble those of float32",
            "calibrate on images that the network is made for, or take another precision",
        )
    each = {f"check.snr_db.{name}": error.snr_db for name, error in errors.items()}
    return error_metrics(errors) | each
