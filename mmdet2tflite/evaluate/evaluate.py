"""Stage: one model → its report, in a child process that has the machine to itself."""

import json
from pathlib import Path
from typing import Any

import cv2

from mmdet2tflite.artifacts import Dataset, Report
from mmdet2tflite.backends.table import BACKENDS, Model
from mmdet2tflite.config.experiment import Evaluation
from mmdet2tflite.evaluate.analysis import ANALYSIS, analyse, analysis_metrics
from mmdet2tflite.evaluate.error_sheet import draw_analysis
from mmdet2tflite.evaluate.image_score import score_all
from mmdet2tflite.evaluate.pictures import draw_comparison
from mmdet2tflite.evaluate.precision_loss import loss_metrics, precision_loss
from mmdet2tflite.evaluate.request import REPORT, EvaluateRequest
from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.evaluate.truth import Truth
from mmdet2tflite.processes import machine
from mmdet2tflite.processes.toolchain import WITHOUT_TELEMETRY
from mmdet2tflite.stage import Job, Stage

PICTURE, PICTURED = "detections.png", 6
"""Ground truth beside the detections of the first so many images."""
MISTAKES = "mistakes.png"
"""The same of the best, the worst and the most confused image."""
SHEET = "errors.png"
"""What ``analysis.json`` holds, as plots."""


def evaluate(
    job: Job,
    config: Evaluation,
    *,
    model: Model,
    dataset: Dataset,
    reference: Report | None = None,
    float32: Report | None = None,
) -> Report:
    """Measure a model on the validation images.

    Args:
        reference: the report of the model that this one is compared with; parity is computed from
            the files that both left, so two models never share a process.
        float32: of a file of another precision, the report of the float32 file that it was made of.

    Raises:
        DataError: an image cannot be read.
        ModelError: the model does not load, or its outputs are not what they should be.
        ConfigError: ``reference`` or ``float32`` is about other images.
        ToolFailed: the child failed or ran into its time-out.
    """
    annotations = job.store.path(dataset, dataset.val.annotations).resolve()
    request = EvaluateRequest(
        model=model,
        model_folder=job.store.path(model).resolve(),
        annotations=annotations,
        images=Path(dataset.val.image_root or annotations.parent),
        reference=job.store.path(reference).resolve() if reference else None,
        config=config,
        work=job.work.resolve(),
    )
    metrics = measure(job, request)
    backend = BACKENDS[model.kind]
    return Report(
        runtime=backend.name,
        variant=backend.label(model),
        model=model.digest,
        compared_with=reference.digest if reference else "",
        metrics={**metrics, **_leave_loss(job, request, float32), **leave_analysis(request)},
    )


def measure(job: Job, request: EvaluateRequest) -> dict[str, float]:
    """The metrics of a model, from a child process; it leaves its files in ``request.work``.

    Raises as ``evaluate`` does.
    """
    # Not only the timing: another model's pass over the images would disturb it just as much, and
    # a pass uses all cores anyway. Waiting does not count as the child's time.
    with machine.alone():
        return job.ask(
            BACKENDS[request.model.kind].tool,
            "mmdet2tflite.evaluate.worker",
            request,
            dict[str, float],
            log="evaluate",
            environment=WITHOUT_TELEMETRY,
        )


def _leave_loss(job: Job, request: EvaluateRequest, float32: Report | None) -> dict[str, float]:
    """Add what the precision loses to ``report.json``, if there is a mAP to lose."""
    file = request.work / REPORT
    details = json.loads(file.read_text(encoding="utf-8"))
    if float32 is None or "map" not in details["metrics"]:
        return {}
    before, after = Evaluated.load(job.store.path(float32)), Evaluated.load(request.work)
    loss = precision_loss(request.annotations, before, after, request.config.resamples)
    details["loss"] = {"against": float32.variant, **loss}
    file.write_text(json.dumps(details, indent=1, allow_nan=False), encoding="utf-8")
    return loss_metrics(loss)


def leave_analysis(request: EvaluateRequest) -> dict[str, float]:
    """Leave the analysis and pictures beside the report; nothing of a model without a decoder."""
    if request.model.head.family is None:
        return {}
    classes = request.model.head.classes
    evaluated = Evaluated.load(request.work)
    truth = Truth.load(request.annotations, request.images, oriented=evaluated.oriented)
    annotations = json.loads(request.annotations.read_text(encoding="utf-8"))
    analysis = analyse(annotations, truth, evaluated, classes)
    text = json.dumps(analysis, indent=1, allow_nan=False)
    (request.work / ANALYSIS).write_text(text, encoding="utf-8")
    scores = score_all(truth, evaluated.detections)
    shown = {
        PICTURE: [(truth.files[i].name, i) for i in list(scores)[:PICTURED]],
        MISTAKES: [(f"{name}, {e['file']}", e["image"]) for name, e in analysis["chosen"].items()],
    }
    for file, rows in shown.items():
        cv2.imwrite(str(request.work / file), draw_comparison(rows, truth.files, scores, classes))
    draw_analysis(analysis, request.work / SHEET)
    return analysis_metrics(analysis)


def _machine(config: Evaluation) -> dict[str, Any]:
    return {"cpu": machine.cpu_model(), "cores": machine.cores()}


EVALUATE: Stage[Report] = Stage(
    name="report",
    run=evaluate,
    tools=(
        "ai-edge-litert",
        "faster-coco-eval",
        "matplotlib",
        "mmdet",
        "numpy",
        "onnxruntime",
        "opencv-python",
        "openvino",
        "supervision",
        "tensorflow",
        "tf-keras",
        "torch",
    ),
    outside=_machine,
)
