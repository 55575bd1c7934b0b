"""The other precisions of a stand-alone conversion, each in a child of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from mmdet2tflite.convert.samples import Feed, Samples
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.processes.toolchain import run_python
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.standalone.attempt import Network, as_file
from mmdet2tflite.standalone.reports import Conversion
from mmdet2tflite.standalone.request import Request

if TYPE_CHECKING:  # pydantic is slow to import, and not needed for float32
    from mmdet2tflite.quantize.file_request import FileResult

WORKER = "mmdet2tflite.quantize.file_worker"


def check_precisions(request: Request) -> None:
    """Raise ConfigError if a precision is to be calibrated and nothing is given to do so."""
    for name in request.precisions:
        if PRECISIONS[name].calibrated and request.calibration is None:
            others = ", ".join(each for each, how in PRECISIONS.items() if not how.calibrated)
            raise ConfigError(
                f"--precision {name} without --calibration",
                "images or inputs to take the ranges of activations from",
                f"give --calibration FOLDER or FILE.npy, or take one of {others}",
            )


def quantise_results(
    conversion: Conversion,
    network: Network,
    results: Path,
    inputs: Sequence[ir.Value],
    calibration: Samples,
) -> dict[str, "FileResult"]:
    """Write ``MODEL_PRECISION.tflite`` beside the float32 file, for every precision asked for.

    Args:
        results: the folder of that file; of calibrated ones, ``MODEL_PRECISION_layers.json``, too.
        inputs: of the network.
        calibration: what to take ranges from.

    Raises:
        ModelError: the file cannot be quantised, or its outputs are not finite.
        ParityError: an output is nothing but noise.
        ToolFailed: the quantiser ended with an error or ran into the time-out.
    """
    from mmdet2tflite.processes.messages import leave_request
    from mmdet2tflite.quantize.file_request import FileRequest, FileResult

    request, work = network.request, results.parent
    source = results / conversion.file.name
    ranges, samples = work / "calibration.npz", work / "samples.npz"
    for file, feeds in ((ranges, calibration), (samples, network.samples)):
        _save(file, as_file(feeds, inputs, conversion.passport))
    found: dict[str, FileResult] = {}
    for name in request.precisions:
        target = results / f"{source.stem}_{name}.tflite"
        asked = FileRequest(
            source=source,
            precision=name,
            target=target,
            layers=target.with_name(f"{target.stem}_layers.json"),
            calibration=ranges if PRECISIONS[name].calibrated else None,
            samples=samples,
        )
        log = work / f"{name}.log"
        told = run_python(
            "litert-quantizer",
            WORKER,
            [leave_request(asked, log)],
            log=log,
            timeout=request.timeout,
        )
        result = FileResult.model_validate(told)
        size = {"size_mb": target.stat().st_size / 1e6}
        found[name] = result.model_copy(update={"metrics": size | result.metrics})
    return found


def _save(file: Path, feeds: Sequence[Feed]) -> None:
    arrays = {name: np.stack([feed[name] for feed in feeds]) for name in feeds[0]}
    np.savez(file, allow_pickle=False, **arrays)
