"""What the page and the terminal's table say."""

import io
import json

import pytest
from rich.console import Console

from benchmarks.conversion.page import cells, headings, markdown, save, table
from benchmarks.conversion.results import make_rows


@pytest.fixture
def results(entries, rounds):
    return {
        "experiment": "digits",
        "date": "2026-11-23",
        "command": "python -m benchmarks.conversion digits.yaml --rounds 3",
        "detector": "yolox_nano",
        "input_size": [256, 160],
        "classes": 10,
        "images": 100,
        "calibration_images": 300,
        "machine": {
            "cpu": "A processor",
            "cores": 2,
            "load": 0.125,
            "load_after": 1.75,
            "system": "Linux",
            "python": "3.12.1",
        },
        "versions": {"onnx2tf": "2.6.9"},
        "protocol": {"rounds": 3, "warmup": 2, "runs": 10},
        "base": "base",
        "rows": make_rows(entries, rounds),
        "not_measured": {"litert-torch": "it is not here"},
    }


def test_a_row_has_a_cell_for_every_heading(results):
    base, broken, fast = (dict(zip(headings(), cells(row), strict=True)) for row in results["rows"])
    assert base == {
        "file": "base",
        "runs in": "litert",
        "mAP": "0.5124",
        "MB": "3.68",
        "PAD": "6",
        "1 thread": "1.00 (1.00–1.00)",
        "2 threads": "1.00 (1.00–1.00)",
        "builtin, 1 thread": "1.00 (1.00–1.00)",
    }
    # 0.5, 0.5 and 0.55: the upper quartile lies half-way between the last two
    assert fast["1 thread"] == "0.50 (0.50–0.53)"
    assert (fast["PAD"], fast["builtin, 1 thread"]) == ("–", "–")
    assert broken["mAP"] == "failed"
    assert {value for name, value in broken.items() if name not in ("file", "mAP")} == {"–"}


def test_the_page_holds_failures_spread_machine_and_command(results):
    lines = markdown(results).splitlines()
    assert lines[0] == "# digits, 2026-11-23"
    assert "yolox_nano, 256x160, 10 classes" in lines[2]
    failed = lines[lines.index("## Failed") + 2]
    assert failed.startswith("* **broken**: Tool failed: onnx2tf 2.6.9 ended with status 1: Value")
    assert "* **litert-torch**: it is not here." in lines
    assert "* **fast**: `tool --fast`" in lines
    spread = "| 1 thread | fast | 2.00 | 1.00 | 0.500 | 0.500 to 0.525 | 0.500 to 0.550 |"
    assert spread in lines
    assert "* A processor, 2 cores; Linux; Python 3.12.1" in lines
    assert "0.12" in next(line for line in lines if line.startswith("* processes"))
    assert f"* `{results['command']}`" in lines
    assert "* onnx2tf 2.6.9" in lines


def test_without_a_failure_nothing_is_said_of_any(results):
    results["rows"] = [row for row in results["rows"] if not row["failure"]]
    assert "Failed" not in markdown(results)


def test_every_table_of_the_page_is_as_wide_as_its_heading(results):
    rows = [line for line in markdown(results).splitlines() if line.startswith("|")]
    widths = [len(row.split("|")) for row in rows]
    main = len(headings()) + 2
    assert widths == [main] * 5 + [9] * (2 + 5)  # 5 lines of spread: 2 + 2 + 1


def test_page_and_numbers_are_named_after_day_and_experiment(results, tmp_path):
    page = save(results, tmp_path / "new" / "folder")
    assert page == tmp_path / "new" / "folder" / "2026-11-23-digits.md"
    assert page.read_text(encoding="utf-8") == markdown(results)
    assert json.loads(page.with_suffix(".json").read_text(encoding="utf-8")) == results


def test_the_terminal_shows_the_same_cells(results):
    output = io.StringIO()
    Console(file=output, width=200).print(table(results))
    for row in results["rows"]:
        for cell in cells(row):
            assert cell in output.getvalue()
