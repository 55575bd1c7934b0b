"""What is known of a network, kept for a later run, and what a child's end means."""

import json
from pathlib import Path

import pytest

from benchmarks.zoo import conversion
from benchmarks.zoo.catalogue import CATALOGUE, choose
from benchmarks.zoo.children import Ended
from benchmarks.zoo.conversion import ONNX, Place, measure
from benchmarks.zoo.record import Made, Record, load_record
from benchmarks.zoo.specimen import Specimen

SPECIMEN = Specimen("small", "classifier", "classifier")
REFUSED = """\
some progress
Model: Loop cannot be unrolled
  expected: a constant number of turns
  to do:    export without it
"""
QUOTING = "Tool failed: onnx2tf ended with status 1\n    | Traceback (most recent call last):\n"
BUG = 'Traceback (most recent call last):\n  File "/a/b.py"\nKeyError: 7\n'


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path, tmp_path)


@pytest.fixture
def calls(monkeypatch):
    """Children are replaced: what they were asked is listed."""
    seen = []

    def run_child(words, log, timeout, paths=()):
        words = [str(word) for word in words]
        seen.append(words[0])
        if words[0] == "benchmarks.zoo.export_worker":
            Path(words[-1]).touch()
            return Ended(0, 1.0, '\n{"nodes": 5}\n')
        if words[0] == "benchmarks.zoo.compare_worker":
            return Ended(0, 1.0, json.dumps(FOUND))
        folder = Path(words[words.index("-o" if words[0] == "onnx2tf" else "--out") + 1])
        suffix = "_float32" if words[0] == "onnx2tf" else ""
        (folder / f"network{suffix}.tflite").touch()
        return Ended(0, 2.0, "done")

    monkeypatch.setattr(conversion, "run_child", run_child)
    return seen


FOUND = {"pads": 1, "transposes": 2, "operators": 3, "error": 1e-6, "output": "y", "allowed": 1e-3}


def test_what_is_done_is_not_done_again(place, calls):
    first = measure(SPECIMEN, place)
    assert first.both_right
    assert first.nodes == 5
    assert (first.made["ours"].pads, first.made["ours"].transposes) == (1, 2)
    done = len(calls)
    assert measure(SPECIMEN, place) == first == load_record(SPECIMEN, place.folder(SPECIMEN))
    assert len(calls) == done


def test_an_interrupted_run_goes_on_with_what_is_missing(place, calls):
    record = measure(SPECIMEN, place)
    del record.made["ours"]
    record.save(place.folder(SPECIMEN))
    calls.clear()
    assert measure(SPECIMEN, place).both_right
    assert calls == ["mmdet2tflite.cli", "benchmarks.zoo.compare_worker"]


def test_one_tool_can_be_asked_again_and_latencies_are_of_other_files_then(place, calls):
    record = measure(SPECIMEN, place)
    record.ratio, record.milliseconds = 0.5, {"plain": 2.0, "ours": 1.0}
    record.save(place.folder(SPECIMEN))
    calls.clear()
    again = measure(SPECIMEN, place, ("ours",))
    assert "onnx2tf" not in calls
    assert "benchmarks.zoo.export_worker" not in calls
    assert again.ratio is None


def test_a_file_that_is_lost_is_exported_again(place, calls):
    measure(SPECIMEN, place)
    (place.folder(SPECIMEN) / ONNX).unlink()
    calls.clear()
    measure(SPECIMEN, place)
    assert calls[0] == "benchmarks.zoo.export_worker"
    assert "onnx2tf" in calls


@pytest.mark.parametrize(
    ("ended", "outcome", "reason"),
    [
        (Ended(None, 600.0, ""), "timed out", "stopped after 600 s"),
        (Ended(2, 1.0, REFUSED), "refused", "Model: Loop cannot be unrolled"),
        (Ended(2, 1.0, QUOTING), "refused", "Tool failed: onnx2tf ended with status 1"),
        (Ended(2, 1.0, BUG), "traceback", "KeyError: 7"),
        (Ended(1, 1.0, BUG), "traceback", "KeyError: 7"),
        (Ended(-11, 1.0, ""), "traceback", "killed by SIGSEGV"),
    ],
)
def test_our_failures_are_a_users_error_in_one_line_or_a_bug(ended, outcome, reason, tmp_path):
    file = tmp_path / "network.tflite"
    made = conversion._judge(ended, file, file, tmp_path, strict=True)
    assert made.outcome == outcome
    assert made.reason.startswith(reason)


def test_a_plain_tool_refuses_by_its_traceback(tmp_path):
    file = tmp_path / "network.tflite"
    made = conversion._judge(Ended(1, 1.0, BUG), file, file, tmp_path, strict=False)
    assert (made.outcome, made.reason) == ("refused", "KeyError: 7")


def test_a_file_that_does_not_run_is_wrong(monkeypatch, tmp_path):
    crashed = Ended(-11, 1.0, "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.")
    monkeypatch.setattr(conversion, "run_child", lambda *words, **more: crashed)
    made = conversion.compare(tmp_path / "a", tmp_path / "b", tmp_path / "c", 1.0)
    assert made.outcome == "wrong"
    assert made.reason.startswith("does not run: killed by SIGSEGV")


def test_a_record_reads_as_it_was_written(tmp_path):
    record = Record("a", "timm", "b", exported="", nodes=7, made={"ours": Made("wrong", "x", 0.5)})
    record.save(tmp_path)
    assert load_record(SPECIMEN, tmp_path) == record


def test_the_zoo_has_a_hundred_architectures_of_fifty_families_of_timm_each_once():
    names = [specimen.name for specimen in CATALOGUE]
    assert len(set(names)) == len(names)
    assert len([name for name in names if not name.startswith("small-")]) >= 100
    assert len({each.family for each in CATALOGUE if each.group == "timm"}) >= 50


def test_networks_are_chosen_by_patterns():
    assert choose([]) == list(CATALOGUE)
    assert [each.name for each in choose(["small-yolox"])] == ["small-yolox"]
    assert all(each.group == "mmdet" for each in choose(["mmdet-*"]))
    with pytest.raises(ValueError, match="no network fits nothing-"):
        choose(["nothing-*"])
