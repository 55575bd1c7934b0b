"""Child process: runs one model over the validation images and measures everything.

Leaves ``detections.json`` and ``outputs.npz`` (see ``results.py``), ``report.json`` with the
metrics and all details, of a TFLite file ``operators.json``, and of a float one
``magnitudes.json``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mmdet2tflite.artifacts import Checkpoint, OnnxModel, OpenvinoModel, TfliteModel
from mmdet2tflite.backends.magnitude_table import (
    MAGNITUDES,
    magnitude_metrics,
    magnitude_table,
)
from mmdet2tflite.backends.table import BACKENDS, Model
from mmdet2tflite.config.experiment import Latency
from mmdet2tflite.errors import ConfigError, ModelError
from mmdet2tflite.evaluate import latency
from mmdet2tflite.evaluate.accuracy import accuracy
from mmdet2tflite.evaluate.request import OPERATORS, REPORT, EvaluateRequest
from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.parity import parity
from mmdet2tflite.processes import machine
from mmdet2tflite.processes.messages import answer, progress
from mmdet2tflite.quantize.precisions import is_calibrated
from mmdet2tflite.runtime.decode import Detections, Floats, decode
from mmdet2tflite.runtime.images import input_tensor
from mmdet2tflite.runtime.runners import Runner, RunnerWithDecoder, sample_of
from mmdet2tflite.tflite.census import census_metrics
from mmdet2tflite.tflite.flatbuffer import read_model

IMAGES_PER_PROGRESS_LINE = 10
NOTHING = Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64))


def measure(request: EvaluateRequest) -> dict[str, float]:
    """Accuracy, parity, census and latency of one model. Raises UserError."""
    load_before = machine.load()
    annotations = json.loads(request.annotations.read_text(encoding="utf-8"))
    images = {
        entry["id"]: request.images / entry["file_name"]
        for entry in annotations["images"][: request.config.images]
    }
    evaluated = run_images(request, images)
    evaluated.save(request.work)
    metrics: dict[str, float] = {}
    details: dict[str, Any] = {"images": len(images), "average_precision": {}}
    if evaluated.decoded:
        metrics, details["average_precision"] = accuracy(
            annotations, evaluated.coco_results(), list(images)
        )
    for measured, section in (
        _parity(request),
        _census(request.model, request.model_folder),
        _latency(request, next(iter(images.values()))),
    ):
        metrics |= measured
        details |= section
    backend = BACKENDS[request.model.kind]
    if isinstance(request.model, TfliteModel):
        _operator_times(request.model_folder / request.model.file, request.work / OPERATORS)
        metrics |= _magnitudes(request, request.model, list(images.values()))
    details["machine"] = {
        "cpu": machine.cpu_model(),
        "cores": machine.cores(),
        "load_before": load_before,
        backend.tool: version(backend.tool),
    }
    text = json.dumps({"metrics": metrics, **details}, indent=1, allow_nan=False)
    (request.work / REPORT).write_text(text, encoding="utf-8")
    return metrics


def run_images(request: EvaluateRequest, images: Mapping[int, Path]) -> Evaluated:
    """Detections of all images, raw outputs of the first few."""
    model, backend = request.model, BACKENDS[request.model.kind]
    runner = backend.open(model, request.model_folder, backend.kernel_sets[0], machine.cores())
    detections: dict[int, Detections] = {}
    outputs: list[dict[str, Floats]] = []
    for done, (image_id, path) in enumerate(images.items()):
        if done % IMAGES_PER_PROGRESS_LINE == 0:
            progress(completed=done, total=len(images), description="evaluate")
        wanted = done < request.config.parity_images
        detections[image_id], raw = detect(runner, model, path, outputs_wanted=wanted)
        if wanted:
            outputs.append(_finite(raw, path))
    progress(completed=len(images), total=len(images), description="evaluate")
    stacked = {name: np.concatenate([raw[name] for raw in outputs]) for name in outputs[0]}
    decoded = isinstance(runner, RunnerWithDecoder) or model.head.family is not None
    return Evaluated(detections, stacked, decoded)


def detect(
    runner: Runner, model: Model, path: Path, *, outputs_wanted: bool
) -> tuple[Detections, dict[str, Floats]]:
    """One image's detections, and raw outputs if they are wanted or were needed anyway.

    A runner with a post-processing of its own is evaluated with that; the others with ``decode``.
    Without a decoder there are raw outputs only.
    """
    tensor, scale_factor = input_tensor(path, model.preprocessing)
    if isinstance(runner, RunnerWithDecoder):
        raw = runner.infer(tensor) if outputs_wanted else {}
        return runner.predict(path), raw
    raw = runner.infer(tensor)
    if model.head.family is None:
        return NOTHING, raw
    return decode(raw, model.head, model.preprocessing, scale_factor), raw


def _finite(outputs: dict[str, Floats], path: Path) -> dict[str, Floats]:
    wrong = [name for name, value in outputs.items() if not np.isfinite(value).all()]
    if wrong:
        raise ModelError(
            f"the outputs {', '.join(wrong)} hold NaN or infinity for {path}",
            "finite numbers",
            "the weights have diverged, or the conversion went wrong",
        )
    return outputs


def _parity(request: EvaluateRequest) -> tuple[dict[str, float], dict[str, Any]]:
    if request.reference is None:
        return {}, {}
    if request.model.head.family is None and isinstance(request.model, OnnxModel):
        # PyTorch's report is about mmdet's own outputs; the export compared those of the cut.
        checked = request.model.metrics.items()
        return {n.replace("check.", "parity."): v for n, v in checked if "check." in n}, {}
    reference, candidate = Evaluated.load(request.reference), Evaluated.load(request.work)
    counts = [
        f"{len(side.detections)} images, raw outputs of {len(next(iter(side.outputs.values())))}"
        for side in (reference, candidate)
    ]
    if list(reference.detections) != list(candidate.detections) or counts[0] != counts[1]:
        raise ConfigError(
            f"the report to compare with is about other images: {counts[0]}",
            f"the same images: {counts[1]}",
            "evaluate both models on one data set with the same settings",
        )
    tensors = parity.compare_outputs(reference.outputs, candidate.outputs)
    found = None
    if candidate.decoded:
        found = parity.compare_detections(reference.detections, candidate.detections)
    metrics = parity.parity_metrics(tensors, found)
    return metrics, {"parity": parity.parity_details(tensors, found)}


def _census(model: Model, folder: Path) -> tuple[dict[str, float], dict[str, Any]]:
    count = BACKENDS[model.kind].census
    if count is None or isinstance(model, Checkpoint):
        return {}, {}
    names = [model.file, model.weights] if isinstance(model, OpenvinoModel) else [model.file]
    files = [folder / name for name in names]
    ops = count(files[0])
    return census_metrics(ops, *files), {"ops": dict(ops.most_common())}


def _operator_times(model: Path, target: Path) -> None:
    from mmdet2tflite.tflite.operator_times import operator_times

    times = [asdict(time) for time in operator_times(read_model(model))]
    target.write_text(json.dumps(times, indent=1), encoding="utf-8")


def _magnitudes(
    request: EvaluateRequest, model: TfliteModel, images: Sequence[Path]
) -> dict[str, float]:
    """Leave them of a file whose activations are real, on the parity images."""
    from mmdet2tflite.backends.magnitudes import largest_magnitudes

    if is_calibrated(model.precision):
        return {}
    content = read_model(request.model_folder / model.file)
    samples = [{"": sample_of(model, each)} for each in images[: request.config.parity_images]]
    table = magnitude_table(largest_magnitudes(content, samples), len(samples))
    (request.work / MAGNITUDES).write_text(json.dumps(table, indent=1), encoding="utf-8")
    return magnitude_metrics(table)


def _latency(request: EvaluateRequest, image: Path) -> tuple[dict[str, float], dict[str, Any]]:
    tensor, _ = input_tensor(image, request.model.preprocessing)
    settings: Latency = request.config.latency
    backend = BACKENDS[request.model.kind]
    if not backend.timed:
        return {}, {}
    candidates = {
        f"{kernel_set}.{threads}": backend.open(
            request.model, request.model_folder, kernel_set, threads
        ).bind(tensor)
        for kernel_set in backend.kernel_sets
        for threads in latency.thread_counts(settings.threads)
    }
    timings = latency.measure(candidates, settings.warmup, settings.runs)
    details = {name: asdict(timing) for name, timing in timings.items()}
    return latency.latency_metrics(timings), {"latency_ms": details}


if __name__ == "__main__":
    answer(measure, EvaluateRequest)
