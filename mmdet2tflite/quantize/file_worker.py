"""Child process: a converted float32 file is quantised, and compared with itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError
from mmdet2tflite.files.digest import file_sha256
from mmdet2tflite.processes.machine import cores
from mmdet2tflite.processes.messages import answer, progress
from mmdet2tflite.quantize.file_request import FileRequest, FileResult, Losing
from mmdet2tflite.quantize.quantise_file import (
    check_resemblance,
    describe_layers,
    layer_metrics,
    quantise_file,
)
from mmdet2tflite.quantize.unlike_ranges import describe_unlike
from mmdet2tflite.runtime.litert import run_tflite

LAYER_SAMPLES = 8
MOST_NAMED = 5


def quantise(request: FileRequest) -> FileResult:
    """Write the file.

    Raises:
        ModelError: the file cannot be quantised, or its outputs are not finite.
        ParityError: the outputs are nothing but noise.
    """
    source, target, name = request.source, request.target, request.precision
    calibration = list(_one_input(request.calibration)) if request.calibration else None
    quantised = quantise_file(
        source,
        target,
        name,
        None if calibration is None else _counted(calibration),
        file_sha256(source),
    )
    with np.load(request.samples, allow_pickle=False) as arrays:
        samples = dict(arrays)
    reference, candidate = (run_tflite(path, samples, cores()) for path in (source, target))
    metrics = check_resemblance(reference, candidate, name)
    if calibration is None:
        return FileResult(metrics=metrics, losing=[])
    metrics = {"calibration.images": float(len(calibration)), **metrics}
    table = describe_layers(target, quantised, calibration[:LAYER_SAMPLES])
    request.layers.write_text(json.dumps(table, indent=1), "utf-8")
    known = [layer for layer in table["layers"] if layer["snr_db"] is not None]
    worst = sorted(known, key=lambda layer: layer["snr_db"])[:MOST_NAMED]
    losing = [Losing(**{field: layer[field] for field in Losing.model_fields}) for layer in worst]
    return FileResult(
        metrics=metrics | layer_metrics(quantised),
        losing=losing,
        unlike=describe_unlike(quantised.unlike),
    )


def _counted(samples: list[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    for done, sample in enumerate(samples):
        progress(completed=done, total=len(samples), description="calibrate")
        yield sample


def _one_input(file: Path) -> NDArray[Any]:
    with np.load(file, allow_pickle=False) as arrays:
        inputs = dict(arrays)
    if len(inputs) != 1:
        raise ModelError(
            f"{len(inputs)} inputs: {', '.join(inputs)}",
            "one input, for integers whose ranges are calibrated",
            "take float16, int8_weight or int8_dynamic",
        )
    return next(iter(inputs.values()))


if __name__ == "__main__":
    answer(quantise, FileRequest)
