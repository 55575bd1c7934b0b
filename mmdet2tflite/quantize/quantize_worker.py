"""Child process: a float32 TFLite file is quantised, and compared with itself on real images.

Leaves the file, and for a calibrated precision ``layers.json`` (``layer_table``).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.artifacts import TfliteModel
from mmdet2tflite.convert.tflite_file import read_passport, write_passport
from mmdet2tflite.errors import ModelError
from mmdet2tflite.parity.check import check_parity, run_on_images
from mmdet2tflite.parity.parity import compare_outputs
from mmdet2tflite.processes.machine import cores
from mmdet2tflite.processes.messages import answer, progress
from mmdet2tflite.quantize.layer_errors import snr_by_tensor
from mmdet2tflite.quantize.layer_table import LAYERS, layer_table
from mmdet2tflite.quantize.precisions import PRECISIONS, Precision
from mmdet2tflite.quantize.quantize_model import Quantised, quantise_model
from mmdet2tflite.quantize.quantize_request import QuantizeRequest
from mmdet2tflite.runtime.decode import Floats
from mmdet2tflite.runtime.images import input_tensor
from mmdet2tflite.runtime.runners import open_tflite, rotate_180
from mmdet2tflite.tflite.flatbuffer import read_model, write_model
from mmdet2tflite.tflite.padding_flag import put_pads_back

TOOLS = ("litert-quantizer", "ai-edge-litert")


def quantise(request: QuantizeRequest) -> TfliteModel:
    """Write the file; its errors are its metrics.

    Raises:
        ModelError: the file cannot be quantised, or its outputs are not finite.
        ParityError: it misses the tolerance of its precision.
    """
    model, source, target = request.model, request.file, request.target
    precision = PRECISIONS[request.precision]
    quantised = quantise_model(
        read_model(source),
        precision,
        calibration_samples(model, request.calibration) if precision.calibrated else None,
        on_layer=lambda done, total: progress(completed=done, total=total, description="layers"),
    )
    passport = read_passport(source)
    passport = replace(
        passport,
        precision=request.precision,
        tools=passport.tools | {tool: version(tool) for tool in TOOLS},
        ancestors=passport.ancestors | {"float32": model.digest},
    )
    write_passport(quantised.model, passport)
    write_model(quantised.model, target)
    changes = {"stage": "", "key": "", "digest": "", "precision": request.precision}
    result = model.model_copy(update=changes)
    metrics = compare((model, source), (result, target), precision, request.images)
    if precision.calibrated:
        metrics = {"calibration.images": float(len(request.calibration)), **metrics}
        samples = [sample_of(model, image) for image in request.images]
        table = describe_layers(source, target, quantised, samples)
        target.with_name(LAYERS).write_text(json.dumps(table, indent=1), "utf-8")
        metrics |= layer_metrics(quantised)
    return result.model_copy(update={"metrics": metrics})


def calibration_samples(
    model: TfliteModel, images: Sequence[Path]
) -> Iterator[NDArray[np.float32]]:
    """Letterboxed images as the file wants them: 1 x H x W x 3, rotated if its own are."""
    for done, image in enumerate(images):
        progress(completed=done, total=len(images), description="calibrate")
        yield sample_of(model, image)


def sample_of(model: TfliteModel, image: Path) -> Floats:
    """An image as the file wants it."""
    tensor, _ = input_tensor(image, model.preprocessing)
    return (rotate_180(tensor) if model.rotation.input else tensor).transpose(0, 2, 3, 1)


def describe_layers(
    source: Path, target: Path, quantised: Quantised, samples: Sequence[Floats]
) -> dict[str, Any]:
    """The content of ``layers.json``; both files as the reference backend computes them."""
    reference, candidate = (read_model(path) for path in (source, target))
    for model in (reference, candidate):
        put_pads_back(model)
    layers, mix = quantised.layers, quantised.mix
    names = dict.fromkeys(n for layer in layers for n in (*layer.sources, layer.output))
    snr = snr_by_tensor(reference, candidate, list(names), samples)
    shares, real = (mix.shares, mix.real) if mix else ({}, ())
    return layer_table(layers, snr, shares, real, len(samples))


def layer_metrics(quantised: Quantised) -> dict[str, float]:
    """Of a mixed precision: how many layers are float32, and how much of the noise is left."""
    if quantised.mix is None:
        return {}
    return {
        "layers.total": float(len(quantised.layers)),
        "layers.float32": float(len(quantised.mix.real)),
        "layers.noise_left": quantised.mix.noise_left,
    }


def compare(
    source: tuple[TfliteModel, Path],
    result: tuple[TfliteModel, Path],
    precision: Precision,
    images: Sequence[Path],
) -> dict[str, float]:
    """The worst errors of a file against the float32 file, and each output's SNR in dB.

    Raises:
        ModelError: an output is NaN or infinite.
        ParityError: an output misses the precision's tolerance.
    """
    reference, candidate = (
        run_on_images(open_tflite(model, path, cores(), True), images, model.preprocessing)
        for model, path in (source, result)
    )
    check_finite(candidate, result[0].variant)
    what = f"{result[0].variant} against {source[0].variant}"
    metrics = check_parity(reference, candidate, precision.tolerance, what)
    errors = compare_outputs(reference, candidate)
    return metrics | {f"check.snr_db.{name}": error.snr_db for name, error in errors.items()}


def check_finite(outputs: Mapping[str, Floats], what: str) -> None:
    """An infinite tolerance lets NaN pass. Raises ModelError."""
    wrong = [name for name, value in outputs.items() if not np.isfinite(value).all()]
    if wrong:
        raise ModelError(
            f"{what}: the outputs {', '.join(wrong)} hold NaN or infinity",
            "finite numbers",
            "leave this precision out; float16 ends at 65504, which the network's maps may exceed",
        )


if __name__ == "__main__":
    answer(quantise, QuantizeRequest)
