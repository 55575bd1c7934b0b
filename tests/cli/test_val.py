"""``mmdet2tflite val``: what it measures of a file that is there already, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmdet2tflite.cli.main import app
from mmdet2tflite.errors import ConfigError, DataError, ModelError
from mmdet2tflite.processes.exit_status import run_and_report
from tests.cli.invoke import invoke
from tests.corner_network import picture, write_detector

STILL = (40, 0, 0)
"""A pixel that makes the network see a dog in its cell, without moving the box."""
FEW = ("--set", "evaluation.latency.runs=4", "--set", "evaluation.latency.warmup=1")


def annotated(folder: Path, names: tuple[str, str] = ("dog", "cat")) -> Path:
    """A dog on the right, where the network sees it; and a cat in the dark, which it never sees."""
    (folder / "images").mkdir(parents=True)
    cv2.imwrite(str(folder / "images" / "dog.png"), picture(STILL))
    cv2.imwrite(str(folder / "images" / "cat.png"), np.zeros((32, 64, 3), np.uint8))
    coco: dict[str, Any] = {
        "images": [{"id": 5, "file_name": "dog.png"}, {"id": 6, "file_name": "cat.png"}],
        "categories": [{"id": 3, "name": names[0]}, {"id": 9, "name": names[1]}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 3, "bbox": [32, 0, 32, 32]},
            {"id": 2, "image_id": 6, "category_id": 9, "bbox": [0, 0, 32, 32]},
        ],
    }
    (folder / "val.json").write_text(json.dumps(coco))
    return folder


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """The file; its classes are cat and dog, in this order."""
    return write_detector(tmp_path / "m.tflite")


def test_a_folder_is_measured_with_the_classes_matched_by_name(detector, tmp_path, own_lock):
    folder, out = annotated(tmp_path / "data"), tmp_path / "out.json"
    said = invoke("val", detector, "--data", folder, "--json", out, *FEW)
    found = json.loads(out.read_text())
    # The dog is found exactly, the cat not at all: the mean over both classes is a half.
    assert found["metrics"]["map"] == found["metrics"]["map_50"] == pytest.approx(0.5)
    assert found["average_precision"] == {"cat": 0, "dog": pytest.approx(1)}
    assert found["mistakes"] == "1 of 2 boxes are found; what goes wrong: 1 missed."
    assert found["lost_classes"] == ["cat"]
    assert found["metrics"]["pads"] == 0
    assert found["metrics"]["size_mb"] == detector.stat().st_size / 1e6
    assert found["head"]["classes"] == ["cat", "dog"]
    assert found["latency_ms"].keys() == {"xnnpack.1", "builtin.1"}  # one thread
    for timing in found["latency_ms"].values():
        first, third = timing["quartiles"]
        assert 0 < first <= timing["median"] <= third
    lines = said.splitlines()
    assert [cell.strip() for cell in lines[3].split("│")[1:4]] == [
        "explicit · hand · float32",
        "0.5000",
        "0.5000",
    ]
    assert "2 images, 2 boxes" in lines
    assert found["mistakes"] in lines
    assert "lost classes, of which no box is found: cat" in lines
    assert lines[-1] == f"everything: {out}"
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["data"]  # no work folder


def test_an_experiments_validation_split_is_prepared_in_its_store(
    detector, tmp_path, own_lock, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    annotated(tmp_path / "train")
    annotated(tmp_path / "val")
    (tmp_path / "mine.yaml").write_text(
        f"""
name: mine
store: {tmp_path}/store
dataset:
  kind: coco
  root: {tmp_path}
  train: {{annotations: train/val.json, images: train/images}}
  val: {{annotations: val/val.json, images: val/images}}
"""
    )
    settings = (*FEW, "--set", "evaluation.images=1", "--set", "dataset.classes=[dog]")
    said = invoke("val", detector.name, "--data", "mine.yaml", *settings)
    assert "1 of 1 boxes are found, and nothing is wrong." in said
    assert "classes of the detector without boxes here, and so in no mAP: cat" in said
    assert "data: 1 other_class, 2 leak" in said  # the same two pictures are in both splits
    assert [path.name for path in (tmp_path / "store").glob("[!.]*")] == ["dataset"]


def test_classes_that_cannot_be_matched_are_refused(detector, tmp_path, own_lock):
    folder = annotated(tmp_path / "data", ("dog", "Cat"))
    with pytest.raises(DataError) as refused:
        invoke("val", detector, "--data", folder)
    assert str(refused.value).splitlines() == [
        "Data set: the data set has boxes of 'Cat', which the detector does not know",
        "  expected: classes of the passport: 'cat', 'dog'",
        "  to do:    rename the classes in the annotations if the same things are meant, or leave "
        "the others out: --set dataset.classes=[dog]",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "m.tflite"]


def test_what_is_wrong_with_a_folders_annotations_is_refused_with_a_list_that_stays(
    detector, tmp_path, own_lock
):
    folder = annotated(tmp_path / "data")
    (folder / "images" / "cat.png").unlink()
    with pytest.raises(DataError, match=r"1 missing_file\n.*cat\.png") as refused:
        invoke("val", detector, "--data", folder)
    report = Path(refused.value.expected.rpartition(" ")[2])
    assert [problem["kind"] for problem in json.loads(report.read_text())] == ["missing_file"]
    assert "--set dataset.fix=[missing_file]" in refused.value.remedy


def test_an_unknown_setting_of_a_folder_is_refused(detector, tmp_path):
    with pytest.raises(ConfigError, match=r"unknown key 'evaluation\.image'"):
        invoke("val", detector, "--data", annotated(tmp_path / "d"), "--set", "evaluation.image=1")


def test_mistakes_are_messages_and_status_2(detector, tmp_path, capsys):
    folder = annotated(tmp_path / "data")
    for words, message in [
        ((tmp_path / "none.tflite", "--data", folder), "none.tflite cannot be read"),
        ((detector, "--data", tmp_path / "none.yaml"), "there is no experiment file"),
        ((detector, "--data", tmp_path), "has the form of no data set that is known"),
        ((detector, "--data", folder, "--json", tmp_path / "no/out.json"), "there is no folder"),
    ]:
        arguments = ["val", *map(str, words)]
        assert run_and_report(lambda a=arguments: app(a, standalone_mode=False)) == 2
        assert message in capsys.readouterr().err


def test_the_file_is_looked_at_before_the_data(tmp_path):
    (tmp_path / "m.txt").touch()
    with pytest.raises(ModelError, match=r"m\.txt is neither a \.tflite nor an \.onnx file"):
        invoke("val", tmp_path / "m.txt", "--data", tmp_path / "none.yaml")
