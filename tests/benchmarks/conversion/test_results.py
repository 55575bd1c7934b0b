"""What stands in a benchmark's JSON."""

import json
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

from benchmarks.conversion.reasons import without_folders
from benchmarks.conversion.results import describe_machine, make_results, make_rows
from benchmarks.conversion.timing import SERIES, Protocol
from mmdet2tflite.artifacts import Dataset, Split
from mmdet2tflite.config.dataset import DigitsData
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.processes import machine

ROOT = Path(__file__).parents[3]
QUARTERS = {"low": 0.5, "lower": 0.5, "median": 0.5, "upper": 0.525, "high": 0.55}


def test_ratios_are_to_the_first_entry_and_milliseconds_stand_beside_them(entries, rounds):
    base, _, fast = make_rows(entries, rounds)
    assert fast["latency"]["1 thread"]["ratio"] == pytest.approx(QUARTERS)
    assert fast["latency"]["1 thread"]["ms"]["median"] == 2.0
    assert fast["latency"]["1 thread"]["rounds"] == [1.0, 2.0, 4.4]
    assert set(base["latency"]["1 thread"]["ratio"].values()) == {1.0}


def test_a_model_is_in_the_series_that_it_took_part_in(entries, rounds):
    base, broken, fast = make_rows(entries, rounds)
    assert list(base["latency"]) == [series.name for series in SERIES]
    assert list(fast["latency"]) == ["1 thread", "2 threads"]
    assert broken["latency"] == {}


def test_a_failure_is_a_row_with_its_full_reason_and_no_folder_of_the_machine(entries, rounds):
    names = [row["name"] for row in make_rows(entries, rounds)]
    broken = make_rows(entries, rounds)[1]
    assert names == ["base", "broken", "fast"]
    assert broken["failure"] == entries[1].failure.replace("/home/me/", "")
    assert (broken["runtime"], broken["metrics"]) == ("", {})


def test_the_results_that_are_kept_name_no_folder_either():
    files = sorted((ROOT / "docs" / "benchmarks").glob("*.json"))
    assert files
    for file in files:
        failures = [row["failure"] for row in json.loads(file.read_text("utf-8"))["rows"]]
        assert failures == [without_folders(each) for each in failures]


def test_rows_say_what_they_run_in_and_what_was_measured(entries, rounds):
    base, _, fast = make_rows(entries, rounds)
    assert (base["runtime"], fast["runtime"]) == ("litert", "onnxruntime")
    assert base["metrics"] == {"map": 0.51239, "size_mb": 3.678, "pads": 6}
    assert base["command"] == "tool --base"


def test_day_machine_versions_command_and_protocol_are_kept(entries, rounds, monkeypatch):
    split = Split(annotations="", image_root="", images=250, boxes=0, images_digest="")
    dataset = Dataset(classes=("a", "b"), train=split, val=split)
    experiment = Experiment(name="test", dataset=DigitsData(kind="digits"))
    monkeypatch.setattr(machine, "load", lambda: 0.25)
    before = describe_machine()
    monkeypatch.setattr(machine, "load", lambda: 1.5)
    today = datetime.now(UTC).date().isoformat()
    found = make_results(
        experiment, dataset, "make bench", before, entries, rounds, Protocol(rounds=3)
    )
    assert found["date"] in (today, datetime.now(UTC).date().isoformat())
    assert found["machine"]["cores"] == machine.cores()
    assert found["machine"]["cpu"] == machine.cpu_model()
    assert (found["machine"]["load"], found["machine"]["load_after"]) == (0.25, 1.5)
    assert found["versions"]["onnx2tf"] == version("onnx2tf")
    assert found["protocol"] == {"rounds": 3, "warmup": 2, "runs": 10}
    assert (found["command"], found["base"], found["experiment"]) == ("make bench", "base", "test")
    assert (found["images"], found["calibration_images"]) == (250, 250)  # not 300: there are fewer
