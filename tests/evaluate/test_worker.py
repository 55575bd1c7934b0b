"""What the child process measures, on a network that sees one box in every image."""

import json
from dataclasses import replace
from math import log

import numpy as np
import pytest

from mmdet2tflite.backends.magnitude_table import MAGNITUDES, describe_overflow
from mmdet2tflite.backends.table import BACKENDS
from mmdet2tflite.errors import ConfigError, DataError, ModelError
from mmdet2tflite.evaluate import worker
from mmdet2tflite.evaluate.analysis import ANALYSIS
from mmdet2tflite.evaluate.evaluate import leave_analysis
from mmdet2tflite.evaluate.request import REPORT
from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.tflite.flatbuffer import write_model
from tests.evaluate.constant_network import QUICK, onnx_model, tflite_model
from tests.evaluate.oriented_scenes import (
    ACROSS,
    DIAGONAL,
    NOTHING_TURNED,
    oriented_coco,
    turned,
)
from tests.tflite.tflite_writer import Writer


def report_of(spec):
    return json.loads((spec.work / REPORT).read_text())


def test_a_report_holds_every_metric_and_every_detail(make_spec, write_tflite):
    spec = make_spec("model", tflite_model, write_tflite)
    worker.measure(spec)
    report = report_of(spec)
    timings = [f"latency_ms.{engine}.1" for engine in ("xnnpack", "builtin")]
    assert report["metrics"].keys() == {
        "map",
        "map_50",
        "map_75",
        "map_small",
        "ops",
        "pads",
        "transposes",
        "size_mb",
        "magnitude.largest",
        *timings,
        *(f"{name}.p90" for name in timings),
    }
    assert report["images"] == 3
    assert report["average_precision"] == {"cat": pytest.approx(1.0)}
    assert report["ops"] == {"CONV_2D": 3}
    assert report["machine"].keys() == {"cpu", "cores", "load_before", "ai-edge-litert"}
    assert report["latency_ms"].keys() == {"xnnpack.1", "builtin.1"}


def write_large(path, shape, layers):
    """The network, of an image that is made 50,000 times as large, and small again."""
    writer = Writer()
    _, _, height, width = shape
    value = image = writer.tensor("image", (1, height, width, 3))
    for name, factor in (("large", 50000), ("small", 1 / 50000)):
        kernel = writer.constant(f"{name}/w", factor * np.eye(3, dtype=np.float32)[:, None, None])
        bias = writer.constant(f"{name}/b", np.zeros(3, np.float32))
        value = writer.conv(value, kernel, bias, writer.tensor(name, (1, height, width, 3)))
    outputs = {}
    for name, (weights, bias) in layers.items():
        kernel = writer.constant(f"{name}/w", weights.astype(np.float32).transpose(0, 2, 3, 1))
        offset = writer.constant(f"{name}/b", bias.astype(np.float32))
        output = writer.tensor(name, (1, 1, 1, len(bias)))
        outputs[name] = writer.conv(value, kernel, offset, output)
    write_model(writer.finish({"image": image}, outputs), path)


def test_a_tensor_inside_that_exceeds_float16_is_seen_though_no_output_does(make_spec):
    spec = make_spec("model", tflite_model, write_large)
    metrics = worker.measure(spec)
    # The first two images, of 1 and of 2, are looked at.
    assert metrics["magnitude.largest"] == report_of(spec)["metrics"]["magnitude.largest"] == 1e5
    outputs = Evaluated.load(spec.work).outputs.values()
    assert max(np.abs(output).max() for output in outputs) == pytest.approx(20)
    table = json.loads((spec.work / MAGNITUDES).read_text())
    assert (table["limit"], table["samples"]) == (65504, 2)
    found = {each["tensor"]: (each["operator"], each["largest"]) for each in table["tensors"]}
    assert found["image"] == ("input", 2)
    assert found["large"] == ("CONV_2D", 1e5)
    assert found["small"] == ("CONV_2D", pytest.approx(2))
    assert describe_overflow(table).startswith("large of CONV_2D reaches 100,000, and float16 ends")


def test_of_integers_no_magnitudes_are_told(make_spec, write_tflite):
    spec = make_spec("model", tflite_model, write_tflite)
    model = spec.model.model_copy(update={"precision": "int8"})
    assert "magnitude.largest" not in worker.measure(spec.model_copy(update={"model": model}))
    assert not (spec.work / MAGNITUDES).exists()


def test_raw_outputs_of_the_first_images_are_kept(make_spec, write_onnx):
    spec = make_spec("model", onnx_model, write_onnx)
    worker.measure(spec)
    evaluated = Evaluated.load(spec.work)
    assert list(evaluated.detections) == [1, 2, 3]
    assert {name: value.shape for name, value in evaluated.outputs.items()} == {
        "cls_32": (2, 2, 1, 1),
        "box_32": (2, 4, 1, 1),
        "obj_32": (2, 1, 1, 1),
    }


def test_only_the_first_images_are_evaluated_if_so_many_are_asked_for(make_spec, write_onnx):
    config = QUICK.model_copy(update={"images": 1})
    spec = make_spec("model", onnx_model, write_onnx, config=config)
    worker.measure(spec)
    assert report_of(spec)["images"] == 1
    assert report_of(spec)["metrics"]["map"] == pytest.approx(1.0)


def test_a_model_that_sees_something_else_is_told_apart(make_spec, write_onnx, write_tflite):
    source = make_spec("source", onnx_model, write_onnx)
    model = make_spec("model", tflite_model, write_tflite, reference=source.work, shift=0.125)
    worker.measure(source)
    worker.measure(model)
    metrics = report_of(model)["metrics"]
    # 0.125 of 32 pixels: 4 to the right of a box 16 wide, IoU = 12 / 20
    assert metrics["parity.iou"] == pytest.approx(0.6)
    assert metrics["parity.max_abs"] == pytest.approx(0.125)
    # box_32 is (0.5, 0.5, ln 0.5, ln 0.5)
    assert metrics["parity.relative"] == pytest.approx(0.125 / (0.5 + log(2)))
    assert (metrics["parity.lost"], metrics["parity.new"]) == (0, 0)
    assert report_of(model)["parity"]["tensors"]["obj_32"]["max_abs"] == 0


def test_a_model_that_confuses_the_classes_loses_all_detections(
    make_spec, write_onnx, write_tflite
):
    source = make_spec("source", onnx_model, write_onnx)
    model = make_spec("model", tflite_model, write_tflite, reference=source.work, label=1)
    worker.measure(source)
    worker.measure(model)
    metrics = report_of(model)["metrics"]
    assert metrics["map"] == 0
    assert (metrics["parity.lost"], metrics["parity.new"]) == (3, 3)


def test_reports_about_other_images_are_not_compared(make_spec, write_onnx, write_tflite):
    fewer = QUICK.model_copy(update={"images": 2})
    source = make_spec("source", onnx_model, write_onnx, config=fewer)
    model = make_spec("model", tflite_model, write_tflite, reference=source.work)
    worker.measure(source)
    with pytest.raises(ConfigError, match="other images: 2 images"):
        worker.measure(model)


@pytest.mark.parametrize("content", [None, b"", b"no picture"], ids=["missing", "empty", "broken"])
def test_an_unreadable_image_is_named(make_spec, write_onnx, content):
    spec = make_spec("model", onnx_model, write_onnx)
    image = spec.images / "2.png"
    image.unlink()
    if content is not None:
        image.write_bytes(content)
    with pytest.raises(DataError, match=r"2\.png: cannot be"):
        worker.measure(spec)


def test_outputs_that_are_not_finite_are_refused(make_spec, write_onnx):
    spec = make_spec("model", onnx_model, write_onnx, shift=np.nan)
    with pytest.raises(ModelError, match="outputs box_32 hold NaN"):
        worker.measure(spec)


class OwnDetector:
    """A runner with a post-processing of its own, as PyTorch's."""

    found = Detections(
        np.array([[8, 8, 24, 24]], np.float32), np.array([0.5], np.float32), np.array([0])
    )

    def infer(self, tensor):
        self.seen = tensor
        return {"cls_32": np.zeros((1, 2, 1, 1), np.float32)}

    def bind(self, tensor):
        return lambda: None

    def predict(self, image):
        self.image = image
        return self.found


def test_a_runner_with_a_post_processing_of_its_own_is_evaluated_with_that(make_spec, write_onnx):
    spec = make_spec("model", onnx_model, write_onnx)
    runner, image = OwnDetector(), spec.images / "1.png"
    found, raw = worker.detect(runner, spec.model, image, outputs_wanted=True)
    assert found is OwnDetector.found
    assert runner.image == image
    assert raw.keys() == {"cls_32"}
    assert (runner.seen == 1).all()


def test_raw_outputs_are_not_computed_twice_over_for_nothing(make_spec, write_onnx):
    spec = make_spec("model", onnx_model, write_onnx)
    runner = OwnDetector()
    assert worker.detect(runner, spec.model, spec.images / "1.png", outputs_wanted=False)[1] == {}
    assert not hasattr(runner, "seen")


class OrientedDetector(OwnDetector):
    """It finds a box in the first two images, and nothing in the third."""

    def __init__(self, box):
        self.box = box

    def predict(self, image):
        return NOTHING_TURNED if image.name == "3.png" else turned((0, self.box))


@pytest.mark.parametrize(
    ("box", "average", "iou", "right"),
    [(DIAGONAL, 67 / 101, 1, 2), (ACROSS, 0, None, 0)],
    ids=["the box", "another in the same upright box"],
)
def test_a_detector_of_oriented_boxes_is_evaluated_compared_and_analysed_by_them(
    make_spec, write_onnx, monkeypatch, box, average, iou, right
):
    source = make_spec("source", onnx_model, write_onnx)
    model = make_spec("model", onnx_model, write_onnx, reference=source.work)
    truth = oriented_coco({i: [(0, DIAGONAL)] for i in (1, 2, 3)})
    truth["categories"] = truth["categories"][:2]
    source.annotations.write_text(json.dumps(truth))
    for spec, shown in ((source, DIAGONAL), (model, box)):
        backend = replace(BACKENDS["onnx"], open=lambda *_, shown=shown: OrientedDetector(shown))
        monkeypatch.setitem(BACKENDS, "onnx", backend)
        metrics = worker.measure(spec)
    assert metrics["map"] == metrics["map_50"] == pytest.approx(average)
    assert metrics.get("parity.iou") == (iou and pytest.approx(iou))
    assert metrics["parity.lost"] == metrics["parity.new"] == 2 - right
    assert Evaluated.load(model.work).oriented
    leave_analysis(model)
    analysis = json.loads((model.work / ANALYSIS).read_text())
    assert (analysis["right"], analysis["boxes"]) == (right, 3)
    assert analysis["errors"]["localisation"]["count"] == 2 - right
