"""Child process: a float32 TFLite file is quantised, and compared with itself on real images.

Leaves the file, for a calibrated precision ``layers.json`` (``layer_table``), and where channels
were scaled the float32 network with these channels (``REFERENCE``).
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mmdet2tflite.artifacts import TfliteModel
from mmdet2tflite.parity.check import run_on_images
from mmdet2tflite.processes.machine import cores
from mmdet2tflite.processes.messages import answer, progress
from mmdet2tflite.quantize.estimate import LossEstimate
from mmdet2tflite.quantize.layer_mix import Budget
from mmdet2tflite.quantize.layer_table import LAYERS
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.quantize.quantise_file import (
    check_resemblance,
    describe_layers,
    layer_metrics,
    quantise_file,
)
from mmdet2tflite.quantize.quantize_request import QuantizeRequest
from mmdet2tflite.runtime.runners import open_tflite, sample_of
from mmdet2tflite.tflite.flatbuffer import write_model

JUDGES = 48
"""Calibration images on which detections are compared."""
REFERENCE = "reference.tflite"
"""The float32 network as it was quantised. Its passport is that of none: it is for tuning alone."""


def quantise(request: QuantizeRequest) -> TfliteModel:
    """Write the file; its errors are its metrics.

    Raises:
        ModelError: the file cannot be quantised, or its outputs are not finite.
        ParityError: the outputs are nothing but noise.
    """
    model, source, target = request.model, request.file, request.target
    precision = PRECISIONS[request.precision]
    calibration = calibration_samples(model, request.calibration) if precision.calibrated else None
    budget = budget_of(request)
    quantised = quantise_file(source, target, request.precision, calibration, model.digest, budget)
    changes = {"stage": "", "key": "", "digest": "", "precision": request.precision}
    result = model.model_copy(update=changes)
    metrics = compare((model, source), (result, target), request.images)
    if precision.calibrated:
        metrics = {"calibration.images": float(len(request.calibration)), **metrics}
        samples = [sample_of(model, image) for image in request.images]
        table = describe_layers(target, quantised, samples)
        target.with_name(LAYERS).write_text(json.dumps(table, indent=1), "utf-8")
        if quantised.scaled:
            write_model(quantised.reference, target.with_name(REFERENCE))
        metrics |= layer_metrics(quantised)
    return result.model_copy(update={"metrics": metrics})


def budget_of(request: QuantizeRequest) -> Budget | None:
    """With the detections of the float32 file on the first calibration images for the truth."""
    if request.accuracy_budget is None:
        return None
    estimate = LossEstimate(request.model, request.file, request.calibration[:JUDGES])

    def loss(candidate: schema.ModelT) -> float:
        file = request.target.with_name("candidate.tflite")
        write_model(candidate, file)
        found = estimate(file)
        file.unlink()
        return found

    return Budget(request.accuracy_budget, loss)


def calibration_samples(
    model: TfliteModel, images: Sequence[Path]
) -> Iterator[NDArray[np.float32]]:
    """Letterboxed images as the file wants them: 1 x H x W x 3, rotated if its own are."""
    for done, image in enumerate(images):
        progress(completed=done, total=len(images), description="calibrate")
        yield sample_of(model, image)


def compare(
    source: tuple[TfliteModel, Path],
    result: tuple[TfliteModel, Path],
    images: Sequence[Path],
) -> dict[str, float]:
    """The worst errors of a file against the float32 file, and each output's SNR in dB.

    Raises:
        ModelError: an output is NaN or infinite.
        ParityError: the outputs are nothing but noise.
    """
    reference, candidate = (
        run_on_images(open_tflite(model, path, cores(), True), images, model.preprocessing)
        for model, path in (source, result)
    )
    return check_resemblance(reference, candidate, result[0].variant)


if __name__ == "__main__":
    answer(quantise, QuantizeRequest)
