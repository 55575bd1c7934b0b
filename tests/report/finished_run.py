"""Makes a finished run by hand: two images, four models, one of them failed."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmdet2tflite.artifacts import (
    Artifact,
    Checkpoint,
    Comparison,
    Dataset,
    OnnxModel,
    Report,
    RewrittenModel,
    Split,
    TfliteModel,
)
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.errors import ToolFailed
from mmdet2tflite.evaluate.analysis import analyse
from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.evaluate.truth import Truth
from mmdet2tflite.passport import Head, Preprocessing, Rotation
from mmdet2tflite.report.compare import COMPARE, compare_config, compare_inputs
from mmdet2tflite.report.outcome import Outcome
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.store.store import Store

CLASSES = ("<b>cell</b>", 'plate "let"')
BOXES = {1: [[10, 10, 20, 20], [40, 10, 20, 20]], 2: [[10, 20, 30, 30]]}
"""Ground truth by image id, x, y, width, height; all of class 0."""
TRUTH = {
    "images": [{"id": i, "file_name": f"{i}.png"} for i in BOXES],
    "annotations": [
        {
            "id": 10 * i + number,
            "image_id": i,
            "category_id": 0,
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": 0,
        }
        for i, boxes in BOXES.items()
        for number, box in enumerate(boxes, start=1)
    ],
    "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES)],
}
REASON = "the log says\n    | <script>alert('boom')</script> & more"
SITE = {
    "operator": "Conv",
    "input": [8, 8],
    "output": [4, 4],
    "kernel": [3, 3],
    "stride": [2, 2],
    "pads": [[1, 1], [1, 1]],
    "effective_pads": [[1, 0], [1, 0]],
}


def detections(*boxes: list[float], scores: list[float] | None = None) -> Detections:
    """Detections of class 0 from x, y, width, height."""
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    given = np.full(len(boxes), 0.9) if scores is None else scores
    return Detections(corners, np.array(given, np.float32), np.zeros(len(boxes), np.int64))


@dataclass
class Run:
    """Makes artefacts in a store of its own, and compares them."""

    folder: Path
    number: int = 0

    def __post_init__(self) -> None:
        self.store = Store(self.folder / "store")
        self.head = Head(
            family="yolox",
            classes=CLASSES,
            strides=(8,),
            score_threshold=0.01,
            nms_iou=0.65,
            max_detections=100,
        )
        self.common = {"head": self.head, "preprocessing": Preprocessing(width=64, height=64)}

    def keep(self, stage: str, artifact: Artifact, **files: Any) -> Any:
        """Put an artefact with JSON files into the store."""
        self.number += 1

        def make(work: Path) -> Artifact:
            for name, value in files.items():
                (work / f"{name}.json").write_text(json.dumps(value))
            evaluated = self.answers.get(id(artifact))
            if evaluated:
                evaluated.save(work)
            return artifact

        origin = {"tools": {"some-tool": "1.2.3"}}
        return self.store.build(stage, f"{stage}{self.number}", make, origin=origin)

    answers: Any = None

    def dataset(self) -> Dataset:
        for image_id in BOXES:
            picture = np.full((80, 100, 3), 90, np.uint8)
            cv2.imwrite(str(self.folder / f"{image_id}.png"), picture)
        split = Split(
            annotations="val.json",
            image_root=str(self.folder),
            images=2,
            boxes=3,
            images_digest="",
        )
        dataset = Dataset(classes=CLASSES, train=split, val=split)
        return self.keep("dataset", dataset, val=TRUTH)

    def truth(self) -> Truth:
        file = self.folder / "truth.json"
        file.write_text(json.dumps(TRUTH))
        return Truth.load(file, self.folder, oriented="segmentation" in TRUTH["annotations"][0])

    def report(
        self,
        model: Any,
        variant: str,
        found: dict[int, Detections],
        reference: Report | None = None,
        **metrics: float,
    ) -> Report:
        """A report on ``model`` whose details are made up of the metrics."""
        details: dict[str, Any] = {
            "images": 2,
            "average_precision": {CLASSES[0]: metrics["map"]},
            "machine": {"cpu": "a cpu", "cores": 2, "load_before": 0.5},
        }
        if reference:
            error = metrics["parity.relative"]
            details["parity"] = {
                "tensors": {"cls_8": {"max_abs": error, "relative": error, "snr_db": 100.0}}
            }
        if "map_loss" in metrics:
            ends = {name: metrics[f"map_loss_{name}"] for name in ("low", "high")}
            interval = {"confidence": 0.95, "images": 2, "resamples": 1000, "seed": 0}
            details["loss"] = {"against": "", "loss": metrics["map_loss"], **ends, **interval}
        report = Report(
            runtime="litert",
            variant=variant,
            model=model.digest,
            compared_with=reference.digest if reference else "",
            metrics=metrics,
        )
        outputs = {"cls_8": np.zeros((1, 2, 1, 1), np.float32)}
        answers = Evaluated(found, outputs)
        self.answers = {id(report): answers}
        analysis = analyse(TRUTH, self.truth(), answers, CLASSES)
        stem = {"operator": "CONV_2D", "layer": "<b>stem</b>", "shape": [1, 8, 8, 4]}
        # Half of the latency, whatever that is.
        operators = [{**stem, "milliseconds": metrics.get("latency_ms.xnnpack.1", 0.0) / 2}]
        image = {"tensor": "image", "operator": "input", "shape": [1, 8, 8, 3], "largest": 255.0}
        tensor = {"tensor": "<b>stem</b>", "operator": "CONV_2D", "shape": [1, 8, 8, 4]}
        magnitudes = {
            "limit": 65504.0,
            "samples": 2,
            "tensors": [image, {**tensor, "largest": metrics.get("magnitude.largest", 1000.0)}],
        }
        return self.keep(
            "report",
            report,
            report=details,
            analysis=analysis,
            operators=operators,
            magnitudes=magnitudes,
        )

    def rewritten(self, strategy: str, treatment: str, *, exact: bool = True) -> RewrittenModel:
        sites = [
            {**SITE, "name": "stem", "treatment": treatment, "reason": "because <i>"},
            {**SITE, "name": "plain", "treatment": "SAME"},
        ]
        plan = {"strategy": strategy, "reasons": [], "reversals": [], "convolutions": sites}
        model = RewrittenModel(
            **self.common,
            outputs=(),
            strategy=strategy,
            exact=exact,
            pads=int(treatment == "PAD"),
            rotation=Rotation(),
            upright=True,
            metrics={"extra_multiplications": 5.0},
        )
        return self.keep("rewritten", model, plan=plan)

    def tflite(
        self,
        strategy: str,
        reference: Report,
        found: Any,
        treatment: str,
        precision: str = "float32",
        layers: Any = None,
        **metrics: float,
    ) -> Outcome:
        """A measured TFLite file; only ``force_same`` is inexact. ``layers``: its layers.json."""
        exact = strategy != "force_same"
        rewritten = self.rewritten(strategy, treatment, exact=exact)
        model = self.keep(
            "tflite",
            TfliteModel(
                **self.common,
                outputs=(),
                strategy=strategy,
                exact=exact,
                converter="onnx2tf",
                precision=precision,
                metrics={name: metrics.pop(name) for name in list(metrics) if "layers." in name},
            ),
            **({"layers": layers} if layers else {}),
        )
        report = self.report(model, model.variant, found, reference, **metrics)
        return Outcome.measured(model, report, rewritten)

    def outcomes(self) -> list[Outcome]:
        """PyTorch finds all; ONNX, too; force_same misses a box of image 1; widen failed."""
        self.answers = {}
        right = {i: detections(*boxes) for i, boxes in BOXES.items()}
        checkpoint = self.keep("checkpoint", Checkpoint(**self.common, epoch=1))
        first = self.report(
            checkpoint, "PyTorch", right, map=0.5, map_50=0.75, **{"latency_ms.pytorch.1": 40.0}
        )
        onnx = self.keep("onnx", OnnxModel(**self.common, outputs=(), opset=13))
        second = self.report(
            onnx,
            "ONNX",
            right,
            first,
            map=0.5,
            size_mb=3.7,
            **{"parity.relative": 1e-6, "latency_ms.onnxruntime.1": 20.0},
        )
        times = {"latency_ms.xnnpack.1": 12.5, "latency_ms.builtin.1": 51.25}
        explicit = self.tflite(
            "explicit",
            second,
            right,
            "PAD",
            map=0.499,
            size_mb=3.5,
            pads=1.0,
            **{**times, "parity.relative": 2e-6},
        )
        missing = {1: detections(BOXES[1][0]), 2: right[2]}
        forced = self.tflite(
            "force_same",
            second,
            missing,
            "forced SAME",
            map=0.25,
            size_mb=3.25,
            pads=0.0,
            **{**times, "latency_ms.xnnpack.1": 10.0, "parity.relative": 0.7},
            **{"magnitude.largest": 131008.0},
        )
        failed = Outcome.failed(ToolFailed(REASON), "widen", "onnx2tf", "float32")
        return [
            Outcome.measured(checkpoint, first),
            Outcome.measured(onnx, second),
            explicit,
            forced,
            failed,
        ]

    def with_integers(self) -> list[Outcome]:
        """The run with int8_io and int8 of ``explicit``, of which int8_io loses 10 points.

        int8 has a budget. float32 takes 12.5 ms, int8_io 10 and int8 7.5.
        """
        outcomes = self.outcomes()
        onnx = outcomes[1].report
        assert onnx is not None
        right = {i: detections(*boxes) for i, boxes in BOXES.items()}
        layer = {"operator": "CONV_2D", "output": "o", "snr_db": 12.0, "source_snr_db": 30.0}
        shares = {"<b>stem</b>": 0.75, "neck": 0.25}
        for precision, loss, chosen in (("int8_io", 0.1, ()), ("int8", 0.0, ("<b>stem</b>",))):
            kept = precision == "int8"
            entries = [
                {**layer, "layer": n, "share": share if kept else None, "float32": n in chosen}
                for n, share in shares.items()
            ]
            found = {"layers.float32": 1.0, "layers.total": 2.0, "layers.multiplications": 0.04}
            found |= {"budget.loss_in_integers": 9.5, "budget.loss": 0.4}
            outcomes.append(
                self.tflite(
                    "explicit",
                    onnx,
                    right,
                    "PAD",
                    precision,
                    {"images": 8, "layers": entries},
                    **{"map": 0.499 - loss, "size_mb": 1.25 if kept else 1.0},
                    **{"latency_ms.xnnpack.1": 7.5 if kept else 10.0},
                    **{"parity.relative": 0.1, **(found if kept else {})},
                    **{"map_loss": loss, "map_loss_low": loss - 0.03, "map_loss_high": loss + 0.05},
                )
            )
        return outcomes

    def compare(self, outcomes: list[Outcome] | None = None, name: str = "tiny") -> Comparison:
        experiment = Experiment.model_validate({"name": name, "dataset": {"kind": "digits"}})
        given = self.outcomes() if outcomes is None else outcomes
        inputs = compare_inputs(self.dataset(), given)
        return COMPARE.build(self.store, compare_config(experiment, given), timeout=60, **inputs)
