"""What is compared with the undisturbed run: everything but measured times."""

from pathlib import Path

import pytest

from benchmarks.chaos.digests import (
    damaged,
    differences,
    digests,
    fingerprint,
)
from mmdet2tflite.artifacts import Artifact, Comparison, Report
from mmdet2tflite.store.store import Store

FILES = {"detections.json": "[]", "report.json": "1.5 ms"}


def fill(root: Path, files: dict[str, str], **metrics: float) -> Store:
    """A store with a report and the comparison that was made of it."""
    store = Store(root)

    def report(work: Path) -> Artifact:
        for name, text in files.items():
            (work / name).write_text(text)
        return Report(runtime="litert", variant="mirror", model="m", metrics=metrics)

    def comparison(work: Path) -> Artifact:
        (work / "comparison.json").write_text('{"dataset": 1, "summary": "fastest: 1.5 ms"}')
        return Comparison(experiment="tiny", summary="fastest: 1.5 ms")

    made = store.build("report", "key", report, origin={})
    origin = {"inputs": {"model 0": "m", "report 0": made.digest}}
    store.remember("tiny", store.build("comparison", "key", comparison, origin=origin))
    return store


def compare(tmp_path: Path, files: dict[str, str], **metrics: float) -> list[str]:
    """What differs from a run with ``FILES`` and an mAP of 0.5."""
    fill(tmp_path / "one", FILES, map=0.5, **{"latency_ms.xnnpack.1": 1.5})
    fill(tmp_path / "two", files, **metrics)
    return differences(fingerprint(tmp_path / "one", "tiny"), fingerprint(tmp_path / "two", "tiny"))


def test_other_latencies_are_no_difference(tmp_path):
    other = {**FILES, "report.json": "2.5 ms"}
    assert compare(tmp_path, other, map=0.5, **{"latency_ms.xnnpack.1": 2.5}) == []


def test_another_accuracy_and_other_detections_are(tmp_path):
    other = {**FILES, "detections.json": "[{}]"}
    assert compare(tmp_path, other, map=0.4) == ["report 0: map", "report 0: detections.json"]


def test_where_no_run_ended_everything_is_missing(tmp_path):
    fill(tmp_path, FILES, map=0.5)
    expected = fingerprint(tmp_path, "tiny")
    assert fingerprint(tmp_path, "other") == {}
    assert differences(expected, {}) == [
        name for name, value in expected.items() if value is not None
    ]


@pytest.mark.parametrize("content", [b"[1]", b"", None])
def test_an_artefact_that_is_not_what_its_manifest_says_is_damaged(tmp_path, content):
    fill(tmp_path, FILES)
    assert damaged(tmp_path) == []
    file = tmp_path / "report" / "key" / "detections.json"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert damaged(tmp_path) == ["report/key"]


def test_a_manifest_that_cannot_be_read_is_damaged_and_has_no_digest(tmp_path):
    fill(tmp_path, FILES)
    (tmp_path / "report" / "key" / "manifest.json").write_text("{")
    assert damaged(tmp_path) == ["report/key"]
    assert digests(tmp_path)["report", "key"] == ""
