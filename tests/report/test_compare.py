"""comparison.json: uniform numbers of all models, and what becomes of one that failed."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmdet2tflite.errors import DataError
from mmdet2tflite.report import terminal
from mmdet2tflite.report.compare import COMPARE, CompareConfig
from mmdet2tflite.report.markdown import markdown
from mmdet2tflite.report.pareto import PLOT
from mmdet2tflite.runtime.decode.corners import upright
from tests.report import finished_run
from tests.report.finished_run import Run
from tests.report.golden import Shown, check_golden


def test_a_change_of_map_is_against_the_first_model(compared):
    found = [row["metrics"].get("map_change") for row in compared[0]["rows"]]
    assert found == [0.0, 0.0, pytest.approx(-0.001), -0.25, None]


def test_the_comparison_names_what_failed(finished: Run):
    comparison = finished.compare()
    assert comparison.failed == ("widen · onnx2tf · float32",)
    assert comparison.summary.endswith("1 variant failed.")


def test_a_gallery_has_the_image_that_changed_and_its_counts(compared):
    gallery = compared[0]["gallery"]
    assert "changed" not in gallery["explicit · onnx2tf · float32"]
    changed = gallery["force_same (inexact) · onnx2tf · float32"]["changed"]
    # One of two boxes found, nothing wrong: F1 = 2 * 1 / (2 + 1)
    assert (changed["image"], changed["f1"]) == (1, pytest.approx(2 / 3))
    assert (changed["right"], changed["wrong"], changed["not_found"]) == (1, 0, 1)
    assert changed["reference"]["f1"] == 1


def test_oriented_boxes_are_counted_against_oriented_boxes(tmp_path: Path, monkeypatch):
    upright_boxes = finished_run.detections

    def turned(*given, **scores):
        """By half a radian, about their centres."""
        found = upright_boxes(*given, **scores)
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        angles = np.full((len(found), 1), 0.5)
        boxes = np.hstack([found.boxes[:, :2] + sides / 2, sides, angles]).astype(np.float32)
        return replace(found, boxes=upright(boxes), oriented=boxes)

    annotations = [
        {**entry, "segmentation": turned(entry["bbox"]).corners.reshape(1, 8).tolist()}
        for entry in finished_run.TRUTH["annotations"]
    ]
    monkeypatch.setitem(finished_run.TRUTH, "annotations", annotations)
    monkeypatch.setattr(finished_run, "detections", turned)
    run = Run(tmp_path)
    comparison = run.compare()
    gallery = json.loads(run.store.path(comparison, comparison.numbers).read_text())["gallery"]
    changed = gallery["force_same (inexact) · onnx2tf · float32"]["changed"]
    assert (changed["right"], changed["wrong"], changed["not_found"]) == (1, 0, 1)
    assert changed["reference"]["f1"] == 1


def test_a_run_without_tflite_files_is_compared_all_the_same(finished: Run):
    comparison = finished.compare(finished.outcomes()[:2])
    assert comparison.summary == "No TFLite file was measured."


def test_an_image_that_is_gone_is_named(finished: Run):
    outcomes = finished.outcomes()
    dataset = finished.dataset

    def dataset_without_an_image():
        found = dataset()
        (finished.folder / "1.png").unlink()
        return found

    finished.dataset = dataset_without_an_image  # type: ignore[method-assign]
    with pytest.raises(DataError, match=r"1\.png cannot be read any more"):
        finished.compare(outcomes)


def test_without_integers_nothing_is_said_of_them(compared):
    assert [compared[0][name] for name in ("losses", "budgets", "slow")] == [[], [], []]
    assert "no time" not in compared[1]
    assert "What integers lose" not in compared[1]
    assert "noise" not in markdown(compared[0])


@pytest.mark.parametrize("part", ["TEMPLATE", "STYLE", "MISTAKES", "OUTLINE"])
def test_a_comparison_is_made_again_when_its_page_is_written_differently(
    part, tmp_path, monkeypatch
):
    config = CompareConfig(experiment={}, outcomes=())
    before = COMPARE.key(config)
    changed = tmp_path / "changed"
    changed.write_text("different")
    monkeypatch.setattr(f"mmdet2tflite.report.compare.{part}", changed)
    assert COMPARE.key(config) != before


@pytest.fixture(scope="module")
def with_integers(tmp_path_factory) -> tuple[dict[str, Any], str]:
    run = Run(tmp_path_factory.mktemp("integers"))
    comparison = run.compare(run.with_integers())
    text = run.store.path(comparison, comparison.numbers).read_text()
    return json.loads(text), run.store.path(comparison, comparison.page).read_text()


def test_files_are_held_against_the_accuracy_budget(tmp_path, monkeypatch):
    monkeypatch.setattr("mmdet2tflite.report.compare.accuracy_budget", lambda experiment: 0.05)
    run = Run(tmp_path)
    comparison = run.compare(run.with_integers())
    numbers = json.loads(run.store.path(comparison, comparison.numbers).read_text())
    assert (numbers["budget"], [cost["kept"] for cost in numbers["precisions"]]) == (
        0.05,
        [False, True],
    )
    page = run.store.path(comparison, comparison.page).read_text()
    assert "the accuracy budget, 5.00 mAP points below float32" in page
    assert "<th>within budget</th>" in page
    assert "accuracy budget: mAP 0.4490" in page  # 0.05 below explicit's 0.499
    assert run.store.path(comparison, PLOT).is_file()


def test_comparison_json_has_every_number_of_a_run(with_integers):
    check_golden("comparison.json", json.dumps(with_integers[0], indent=1))


def test_the_page_shows_every_section_of_a_run(with_integers):
    # The settings of an experiment are tested where they are made.
    page = re.sub("<summary>Settings.*?</pre>", "", with_integers[1], flags=re.DOTALL)
    check_golden("report.txt", str(Shown(page)))


def test_markdown_shows_a_run(with_integers):
    check_golden("comparison.md", markdown(with_integers[0]))


def test_the_terminal_shows_a_run(with_integers, monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(terminal, "console", terminal.SafeConsole(file=output, width=120))
    terminal.print_comparison(with_integers[0], Path("report.html"))
    check_golden("comparison.txt", output.getvalue())
