"""The stage, on a network that sees one box in every image."""

import json
from dataclasses import replace

import pytest

from mmdet2tflite.evaluate.analysis import read_analysis
from mmdet2tflite.evaluate.causes import CAUSES
from mmdet2tflite.evaluate.evaluate import EVALUATE, MISTAKES, PICTURE, SHEET, leave_analysis
from mmdet2tflite.evaluate.request import REPORT
from mmdet2tflite.evaluate.results import DETECTIONS, OUTPUTS
from mmdet2tflite.processes import machine
from mmdet2tflite.store.store import Store
from tests.evaluate.constant_network import QUICK, onnx_model, tflite_model, write_data


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
    for name in (DETECTIONS, OUTPUTS, REPORT, PICTURE, MISTAKES, SHEET):
        assert store.path(report, name).is_file()
    measured = json.loads(store.path(report, REPORT).read_text())["metrics"]
    analysis = read_analysis(store, report)
    assert analysis is not None
    assert (analysis["images"], analysis["right"]) == (3, 3)
    assert report.metrics == measured | dict.fromkeys((f"errors.{c}" for c in CAUSES), 0.0)


def test_a_file_of_another_precision_is_compared_with_its_float32_file(
    tmp_path, own_lock, write_tflite
):
    store = Store(tmp_path / "store")
    dataset = store.build("dataset", "d", write_data, origin={})

    def tflite(precision, label):
        def make(work):
            model = tflite_model(write_tflite, work, label=label)
            return model.model_copy(update={"precision": precision})

        return store.build("tflite", precision, make, origin={})

    def report(model, float32=None):
        return EVALUATE.build(
            store, QUICK, timeout=60, model=model, dataset=dataset, reference=None, float32=float32
        )

    right, wrong = tflite("float32", 0), tflite("float16", 1)
    before = report(right)
    after = report(wrong, before)
    assert {name: value for name, value in after.metrics.items() if "map_loss" in name} == {
        name: pytest.approx(1.0) for name in ("map_loss", "map_loss_low", "map_loss_high")
    }
    loss = json.loads(store.path(after, REPORT).read_text())["loss"]
    assert (loss["against"], loss["resamples"]) == ("mirror · onnx2tf · float32", QUICK.resamples)
    assert "map_loss" not in before.metrics
    assert "loss" not in json.loads(store.path(before, REPORT).read_text())


def test_of_a_model_without_a_decoder_nothing_is_analysed(make_spec, write_onnx):
    spec = make_spec("model", onnx_model, write_onnx)
    head = replace(spec.model.head, family=None)
    model = spec.model.model_copy(update={"head": head})
    assert leave_analysis(spec.model_copy(update={"model": model})) == {}
    assert list(spec.work.iterdir()) == []


def test_the_key_of_a_report_names_the_machine(monkeypatch):
    origin = EVALUATE.origin(QUICK, {})
    assert origin["outside"] == {"cpu": machine.cpu_model(), "cores": machine.cores()}
    key = EVALUATE.key(QUICK)
    monkeypatch.setattr(machine, "cpu_model", lambda: "another")
    assert EVALUATE.key(QUICK) != key
