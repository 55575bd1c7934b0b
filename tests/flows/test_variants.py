"""Which files the flow makes of one graph, and what it makes of a failure; the tasks stand in."""

from collections.abc import Callable

import pytest

from flows import variants as flow
from mmdet2tflite.artifacts import (
    Dataset,
    Head,
    OnnxModel,
    Preprocessing,
    Report,
    RewrittenModel,
    Rotation,
    Split,
    TfliteModel,
)
from mmdet2tflite.config import DigitsData, Experiment, Variants
from mmdet2tflite.errors import ModelError
from mmdet2tflite.report.outcome import Outcome

PRECISIONS = ("int8", "float32", "float16")
HEAD = Head(
    family="yolox",
    classes=("cat",),
    strides=(8,),
    score_threshold=0.01,
    nms_iou=0.65,
    max_detections=100,
)
PICTURE = Preprocessing(width=32, height=32)
ONNX = OnnxModel(head=HEAD, preprocessing=PICTURE, outputs=(), opset=13)
REPORT = Report(runtime="onnxruntime", variant="ONNX", model="")
SPLIT = Split(annotations="", image_root="", images=0, boxes=0, images_digest="")
DATASET = Dataset(classes=("cat",), train=SPLIT, val=SPLIT)
EXPERIMENT = Experiment(
    name="test",
    dataset=DigitsData(kind="digits"),
    variants=Variants(padding=("mirror",), precisions=PRECISIONS),
)


def rewrite(*_: object) -> RewrittenModel:
    return RewrittenModel(
        head=HEAD,
        preprocessing=PICTURE,
        outputs=(),
        strategy="mirror",
        exact=True,
        pads=0,
        rotation=Rotation(),
        upright=True,
    )


def convert(*_: object) -> TfliteModel:
    return TfliteModel(
        head=HEAD,
        preprocessing=PICTURE,
        outputs=(),
        strategy="mirror",
        exact=True,
        converter="onnx2tf",
        precision="float32",
    )


def quantise(experiment: Experiment, model: TfliteModel, dataset: Dataset, name: str):
    assert (model.precision, dataset) == ("float32", DATASET)
    assert name != "float32"
    return model.model_copy(update={"precision": name})


def measure(experiment: Experiment, model: TfliteModel, dataset: Dataset, source: Report) -> Report:
    assert (dataset, source) == (DATASET, REPORT)
    return Report(runtime="litert", variant=model.variant, model="")


def refuse(*_: object) -> None:
    raise ModelError("it cannot be done")


@pytest.fixture
def outcomes(monkeypatch) -> Callable[..., list[Outcome]]:
    """The outcomes, with these tasks in place of those that succeed."""

    def run(**tasks: object) -> list[Outcome]:
        usual = {
            "onnx_to_rewritten": rewrite,
            "rewritten_to_tflite": convert,
            "tflite_to_quantized": quantise,
            "model_to_report": measure,
        }
        for name, task in {**usual, **tasks}.items():
            monkeypatch.setattr(flow, name, task)
        return list(flow.variants(EXPERIMENT, ONNX, REPORT, DATASET))

    return run


def test_each_precision_is_made_of_the_float_file_and_measured_in_the_order_asked_for(outcomes):
    found = outcomes()
    assert [outcome.tags["precision"] for outcome in found] == list(PRECISIONS)
    assert [outcome.model.precision for outcome in found] == list(PRECISIONS)
    assert [outcome.variant for outcome in found] == [f"mirror · onnx2tf · {n}" for n in PRECISIONS]


def test_a_precision_that_fails_leaves_the_others(outcomes):
    def only_int8_fails(experiment, model, dataset, name):
        return refuse() if name == "int8" else quantise(experiment, model, dataset, name)

    found = outcomes(tflite_to_quantized=only_int8_fails)
    assert [bool(outcome.failure) for outcome in found] == [True, False, False]
    assert "it cannot be done" in found[0].failure
    assert found[0].variant == "mirror · onnx2tf · int8"


@pytest.mark.parametrize("task", ["onnx_to_rewritten", "rewritten_to_tflite", "model_to_report"])
def test_what_all_precisions_need_fails_for_all_of_them(outcomes, task):
    found = outcomes(**{task: refuse})
    assert [outcome.tags["precision"] for outcome in found] == list(PRECISIONS)
    assert all("it cannot be done" in outcome.failure for outcome in found)
