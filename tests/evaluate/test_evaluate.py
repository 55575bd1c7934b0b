"""The stage on a network that sees one box in every image, because its weights are zero."""

import json
from math import log

import cv2
import numpy as np
import pytest

from mmdet2tflite.artifacts import (
    Checkpoint,
    Dataset,
    Head,
    OnnxModel,
    Preprocessing,
    Split,
    Tensor,
    TfliteModel,
)
from mmdet2tflite.config import Evaluation, Latency
from mmdet2tflite.errors import ConfigError, DataError, ModelError
from mmdet2tflite.evaluate import machine, worker
from mmdet2tflite.evaluate.decode import Detections
from mmdet2tflite.evaluate.evaluate import EVALUATE
from mmdet2tflite.evaluate.results import DETECTIONS, OUTPUTS, Evaluated
from mmdet2tflite.evaluate.runtimes import RUNTIMES
from mmdet2tflite.evaluate.spec import REPORT, Spec
from mmdet2tflite.store import Store

SIDE = 32
BOX = [8, 8, 16, 16]
CERTAIN = 20.0
"""A logit whose sigmoid is 1 - 2e-9."""

HEAD = Head(
    family="yolox",
    classes=("cat", "dog"),
    strides=(32,),
    score_threshold=0.01,
    nms_iou=0.65,
    max_detections=100,
)
PREPROCESSING = Preprocessing(width=SIDE, height=SIDE)
OUTPUTS_NHWC = tuple(
    Tensor(name=name, shape=(1, 1, 1, n))
    for name, n in (("cls_32", 2), ("box_32", 4), ("obj_32", 1))
)
QUICK = Evaluation(parity_images=2, latency=Latency(warmup=1, runs=3, threads=(1,)))


def constant_network(label=0, shift=0.0):
    """One cell of stride 32: centre (0.5 + shift) * 32, size exp(ln 0.5) * 32 = 16."""

    def constant(*bias):
        return np.zeros((len(bias), 3, SIDE, SIDE)), np.array(bias)

    classes = [-CERTAIN, -CERTAIN]
    classes[label] = CERTAIN
    return {
        "cls_32": constant(*classes),
        "box_32": constant(0.5 + shift, 0.5, log(0.5), log(0.5)),
        "obj_32": constant(CERTAIN),
    }


def write_data(folder, images=3):
    """Images that hold one cat each, at BOX."""
    ids = range(1, images + 1)
    for i in ids:
        cv2.imwrite(str(folder / f"{i}.png"), np.full((SIDE, SIDE, 3), i, np.uint8))
    coco = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": SIDE, "height": SIDE} for i in ids],
        "categories": [{"id": i, "name": name} for i, name in enumerate(HEAD.classes)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 0, "bbox": BOX, "area": 256, "iscrowd": 0}
            for i in ids
        ],
    }
    (folder / "val.json").write_text(json.dumps(coco))
    split = Split(
        annotations="val.json", image_root="", images=images, boxes=images, images_digest=""
    )
    return Dataset(classes=HEAD.classes, train=split, val=split)


def onnx_model(write_onnx, folder, **network):
    write_onnx(folder / "model.onnx", (1, 3, SIDE, SIDE), constant_network(**network), ["Pad"])
    return OnnxModel(head=HEAD, preprocessing=PREPROCESSING, outputs=OUTPUTS_NHWC, opset=13)


def tflite_model(write_tflite, folder, **network):
    write_tflite(folder / "model.tflite", (1, 3, SIDE, SIDE), constant_network(**network))
    return TfliteModel(
        head=HEAD,
        preprocessing=PREPROCESSING,
        outputs=OUTPUTS_NHWC,
        strategy="mirror",
        converter="onnx2tf",
        precision="float32",
    )


@pytest.fixture
def make_spec(tmp_path):
    """A spec with a folder for each of model, data and report; ``make`` writes the model."""
    data = tmp_path / "data"
    data.mkdir()
    write_data(data)

    def spec(name, make, write, reference=None, config=QUICK, **network):
        folder = tmp_path / name
        (folder / "report").mkdir(parents=True)
        return Spec(
            model=make(write, folder, **network),
            model_folder=folder,
            annotations=data / "val.json",
            images=data,
            reference=reference,
            config=config,
            work=folder / "report",
        )

    return spec


def report_of(spec):
    return json.loads((spec.work / REPORT).read_text())


def test_the_stage_evaluates_a_model_in_a_child_process_and_compares_it_with_its_source(
    tmp_path, own_lock, write_onnx, write_tflite
):
    store = Store(tmp_path / "store")
    dataset = store.build("dataset", "d", write_data, origin={})
    source = store.build("onnx", "o", lambda work: onnx_model(write_onnx, work), origin={})
    model = store.build("tflite", "t", lambda work: tflite_model(write_tflite, work), origin={})
    messages = []

    reference = EVALUATE.build(
        store, QUICK, timeout=60, model=source, dataset=dataset, reference=None
    )
    report = EVALUATE.build(
        store,
        QUICK,
        timeout=60,
        on_progress=messages.append,
        model=model,
        dataset=dataset,
        reference=reference,
    )

    assert (reference.runtime, reference.variant) == ("onnxruntime", "ONNX")
    assert (reference.model, reference.compared_with) == (source.digest, "")
    assert (report.runtime, report.variant) == ("litert", "mirror · onnx2tf · float32")
    assert (report.model, report.compared_with) == (model.digest, reference.digest)
    assert report.metrics["map"] == pytest.approx(1.0)
    assert report.metrics["parity.relative"] < 1e-6
    assert not any(name.startswith("parity.") for name in reference.metrics)
    assert reference.metrics["pads"] == 1
    assert messages[-1] == {"completed": 3, "total": 3, "description": "evaluate"}
    for name in (DETECTIONS, OUTPUTS, REPORT):
        assert store.path(report, name).is_file()
    assert json.loads(store.path(report, REPORT).read_text())["metrics"] == report.metrics


def test_the_key_of_a_report_names_the_machine(monkeypatch):
    origin = EVALUATE.origin(QUICK, {})
    assert origin["outside"] == {"cpu": machine.cpu_model(), "cores": machine.cores()}
    key = EVALUATE.key(QUICK)
    monkeypatch.setattr(machine, "cpu_model", lambda: "another")
    assert EVALUATE.key(QUICK) != key


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
        *timings,
        *(f"{name}.p90" for name in timings),
    }
    assert report["images"] == 3
    assert report["average_precision"] == {"cat": pytest.approx(1.0)}
    assert report["ops"] == {"CONV_2D": 3}
    assert report["machine"].keys() == {"cpu", "cores", "load_before", "ai-edge-litert"}
    assert report["latency_ms"].keys() == {"xnnpack.1", "builtin.1"}


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


def test_every_kind_of_model_has_its_runtime():
    kinds = [model.model_fields["kind"].default for model in (Checkpoint, OnnxModel, TfliteModel)]
    assert list(RUNTIMES) == kinds
    assert [runtime.name for runtime in RUNTIMES.values()] == ["pytorch", "onnxruntime", "litert"]


@pytest.mark.parametrize(("engine", "delegated"), [("xnnpack", True), ("builtin", False)])
def test_the_engines_of_litert_are_with_and_without_the_delegate(
    tmp_path, write_tflite, engine, delegated
):
    model = tflite_model(write_tflite, tmp_path)
    runner = RUNTIMES["tflite"].open(model, tmp_path, engine, 1)
    # LiteRT adds a node DELEGATE for what it hands over, and has no public way to ask.
    planned = [node["op_name"] for node in runner._interpreter._get_ops_details()]
    assert ("DELEGATE" in planned) == delegated
