"""The table that the documentation holds."""

from benchmarks.chaos.table import describe, line, markdown, rows
from benchmarks.chaos.verdict import Finding, Result

RESULTS = [
    Result("kill-onnx-flow-KILL", "kill in onnx", "KILL to flow", statuses=(-9, 0)),
    Result(
        "kill-onnx-server-TERM",
        "kill in onnx",
        "TERM to server",
        findings=[
            Finding("stuck", "for ever in /tmp/somewhere/x.yaml"),
            Finding("lost", "a | b"),
            Finding("lost", "c"),
        ],
        statuses=(None, 2),
    ),
    Result("disk-store-1", "disk", not_tried="this user may not mount"),
]


def test_a_case_counts_once_in_each_column_however_much_was_found():
    assert rows(RESULTS) == [
        # tried, survived, lost, stuck, tracebacks, orphans, not tried
        ["kill in onnx", "2", "1", "1", "1", "0", "0", "0"],
        ["disk", "0", "0", "0", "0", "0", "0", "1"],
        ["all", "2", "1", "1", "1", "0", "0", "1"],
    ]


def test_the_page_names_command_machine_and_what_did_not_survive_but_no_folder_of_the_machine():
    text = markdown(describe(RESULTS, "python -m benchmarks.chaos", seed=7, seconds=90))
    assert "`python -m benchmarks.chaos` (seed 7)" in text
    assert "cores" in text
    assert "`kill-onnx-server-TERM` (TERM to server): lost: a / b" in text
    assert "`disk-store-1` was not tried: this user may not mount" in text
    assert "kill-onnx-flow-KILL" not in text
    assert "for ever in x.yaml" in text


def test_each_case_is_a_line_with_what_was_found_below_it():
    assert line(RESULTS[0]) == "✓ kill-onnx-flow-KILL  0 s, status -9, 0: KILL to flow"
    assert line(RESULTS[1]).splitlines()[1] == "    stuck: for ever in /tmp/somewhere/x.yaml"
