import io

import pytest
from rich.console import Console

from mmdet2tflite.report import terminal
from mmdet2tflite.report.terminal import (
    announce,
    comparison_table,
    print_comparison,
    progress_bar,
)


@pytest.fixture
def printed(monkeypatch) -> io.StringIO:
    output = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=output, width=120, highlight=False))
    return output


def cells(table, row: int) -> dict[str, str]:
    return {str(column.header): str(list(column.cells)[row]) for column in table.columns}


def test_a_row_shows_a_models_figures_and_a_dash_for_what_was_not_measured(row):
    metrics = {"latency_ms": 2.184, "latency_ms.builtin.1": 10.066}
    found = cells(comparison_table([row("PyTorch", map=0.57414, map_50=0.84159, **metrics)]), 0)
    assert found == {
        "model": "PyTorch",
        "mAP": "0.5741",
        "mAP50": "0.8416",
        "ms": "2.18",
        "ms builtin": "10.07",
        **dict.fromkeys(("error", "lost", "new", "MB", "PAD"), "–"),
    }


def test_a_failed_variant_has_a_row_and_a_line_with_its_reason(row, printed, tmp_path):
    rows = [
        row("PyTorch", map=0.5),
        row("[a] widen", failure="no [room]\n    | log\n    | its [end]\n  to do"),
    ]
    values = {"rows": rows, "summary": "All is [well]."}
    assert cells(comparison_table(rows), 1)["mAP"] == "failed"
    print_comparison(values, tmp_path / "report.html")
    lines = printed.getvalue().splitlines()
    assert lines[-3:] == [
        "✗ [a] widen: no [room] its [end]",
        "All is [well].",
        f"report: {tmp_path / 'report.html'}",
    ]


def test_what_goes_wrong_is_said_of_the_first_model(row, printed, tmp_path):
    sentences = {"PyTorch": "1 of 2 [boxes] are found.", "ONNX": "none"}
    values = {"rows": [row("PyTorch", map=0.5)], "summary": "All is well.", "mistakes": sentences}
    print_comparison(values, tmp_path / "report.html")
    assert printed.getvalue().splitlines()[-3:-1] == [
        "All is well.",
        "PyTorch: 1 of 2 [boxes] are found.",
    ]


def test_a_finished_arrow_gets_one_line(printed):
    announce("onnx_to_tflite", "onnx2tf", "Completed", 4.51)
    announce("config_to_dataset", "", "Cached", 0.0)
    first, second = printed.getvalue().splitlines()
    assert first.split() == ["✓", "onnx", "→", "tflite", "onnx2tf", "4.5", "s"]
    assert second.split() == ["✓", "config", "→", "dataset", "cached"]


def test_without_a_terminal_progress_is_a_line_now_and_then(printed, monkeypatch):
    clock = iter([0.0, 10.0, 31.0, 31.0, 40.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    with progress_bar("checkpoint") as on_progress:
        on_progress({"completed": 1, "total": 9, "loss": 2.0})
        on_progress({"completed": 2, "total": 9, "loss": 1.23456})
        on_progress({"completed": 3, "total": 9, "loss": 1.0})
    assert printed.getvalue().split() == ["checkpoint", "2/9", "loss", "1.235"]


@pytest.fixture
def screen(monkeypatch) -> None:
    """A terminal, on which bars are drawn."""
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    monkeypatch.setattr(terminal, "console", console)
    monkeypatch.setattr(terminal._display.live, "console", console)


def bars() -> list[str]:
    """The display's lines."""
    output = io.StringIO()
    Console(file=output, width=120).print(terminal._display)
    return output.getvalue().splitlines()


def test_stages_that_run_at_once_have_their_bars_below_each_other(screen):
    with progress_bar("first") as first:
        with progress_bar("second") as second:
            first({"completed": 1, "total": 4})
            second({"completed": 3, "total": 4, "loss": 1.5})
            shown = bars()
        assert [line.split()[0] for line in bars()] == ["first"]
    assert [line.split()[0] for line in shown] == ["first", "second"]
    assert ("25 %" in shown[0], "75 %" in shown[1], "loss 1.500" in shown[1]) == (True, True, True)


def test_the_bars_go_and_come_back_for_the_next_stage(screen):
    for title in ("first", "second"):
        with progress_bar(title):
            assert [line.split()[0] for line in bars()] == [title]
            assert terminal._display.live.is_started
        assert not terminal._display.live.is_started
