"""What the page says of the records."""

import pytest

from benchmarks.zoo.record import Made, Record
from benchmarks.zoo.table import describe, line, markdown

RIGHT = Made("right", error=2e-7, pads=5, transposes=1, operators=70, seconds=9)
TURNED = Made("right", error=2e-7, pads=0, transposes=3, operators=68, seconds=9)
WRONG = Made("wrong", "does not run: RuntimeError: lacks data")
REFUSED = Made("refused", "Model: Loop cannot be unrolled")


def record(name, plain, ours, ratio=None):
    made = {"plain": plain, "ours": ours}
    return Record(name, "timm", name, exported="", nodes=9, made=made, ratio=ratio, sources="abc")


RECORDS = [
    record("good", RIGHT, RIGHT, 0.8),
    record("turned", RIGHT, TURNED, 1.1),
    record("refused", RIGHT, REFUSED),
    record("better", WRONG, RIGHT),
    Record("lost", "timm", "lost", exported="KeyError: 7"),
]


@pytest.fixture
def page():
    return describe(RECORDS, "python -m benchmarks.zoo")


def test_the_summary_counts_what_is_converted_rightly(page):
    assert "4 networks of 4 families; 1 more could not be exported" in page.summary
    assert "by plain onnx2tf 3 of 4 = 75.0 %, by `mmdet2tflite convert` 3 of 4" in page.summary
    assert "of those that plain onnx2tf converts rightly: 2 of 3 = 66.7 %" in page.summary
    assert "1 refused in one line, 0 timed out, 0 wrong (goal 0), 0 tracebacks" in page.summary
    assert "more TRANSPOSE than plain: 1" in page.summary
    assert "from 0.80 to 1.10 (2 networks" in page.summary


def test_every_network_has_a_row_and_what_is_not_as_it_should_be_a_line(page):
    text = markdown(page)
    assert "| turned | 9 | right | right | 2e-07 | 2e-07 | 5 → 0 | 1 → 3 | 70 → 68 | 1.10 |" in text
    assert "| refused | 9 | right | refused | 2e-07 | – | 5 → – | 1 → – | 70 → – |  |" in text
    assert "* `turned`: TRANSPOSE 3, plain onnx2tf 1" in text
    reason = "refused: Model: Loop cannot be unrolled (plain onnx2tf converts it)"
    assert f"* `refused`: {reason}" in text
    assert "* `better`: right; plain: wrong: does not run: RuntimeError: lacks data" in text
    assert "* `lost` could not be exported: KeyError: 7" in text
    assert "`good`" not in text


def test_the_page_names_command_machine_versions_and_sources(page):
    for part in ("`python -m benchmarks.zoo`", "cores", "onnx2tf 2.", "timm ", "library: abc."):
        assert part in page.measured


def test_a_network_is_a_line_in_the_terminal():
    assert line(RECORDS[0]).startswith("✓ good: plain right T1 P5 9s; ours right")
    assert line(RECORDS[1]).endswith("MORE TRANSPOSE")
    assert line(RECORDS[2]).startswith("✗ refused: ")
    assert line(RECORDS[4]) == "– lost: not exported: KeyError: 7"
