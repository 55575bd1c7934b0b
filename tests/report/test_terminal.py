import io
import re

import pytest
from rich.console import Console

from mmdet2tflite.report import terminal
from mmdet2tflite.report.terminal import (
    announce,
    comparison_table,
    print_comparison,
    print_models,
    progress_bar,
)

WIDE = {
    "map": 0.57414,
    "map_50": 0.84159,
    "parity.relative": 3e-6,
    "parity.lost": 345,
    "parity.new": 1168,
    "size_mb": 123.45,
    "pads": 7,
    "latency_ms": 1234.56,
    "latency_ms.builtin.1": 10234.56,
}
"""The table takes 110 characters: a name of 28, and of each column the longest of heading and
numbers (6, 6, 5, 4, 4, 6, 3, 7, 10), three for each of these and its border, and the first one."""
NAME = "explicit · onnx2tf · float32"


@pytest.fixture
def printed(monkeypatch) -> io.StringIO:
    monkeypatch.delenv("COLUMNS", raising=False)
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


@pytest.fixture
def at_width(row, printed, monkeypatch):
    """What a terminal of so many columns shows of models: the lines."""

    def show(columns: int, *rows, **options) -> list[str]:
        size = {"width": columns, "force_terminal": True, "color_system": None}
        console = terminal.SafeConsole(file=printed, **(size | options))
        monkeypatch.setattr(terminal, "console", console)
        print_models(rows or [row("PyTorch", map=0.5), row(NAME, **WIDE)])
        return printed.getvalue().splitlines()

    return show


def table_of(lines: list[str]) -> tuple[list[str], list[str]]:
    """Headings, and the cells of the second model."""
    return tuple(
        [cell.strip() for cell in lines[number].replace("┃", "│").split("│")[1:-1]]
        for number in (1, 4)
    )


@pytest.mark.parametrize(
    ("columns", "headings", "numbers", "left_out"),
    [
        (
            120,
            "mAP,mAP50,error,lost,new,MB,PAD,ms,ms builtin",
            "0.5741,0.8416,3e-06,345,1168,123.45,7,1234.56,10234.56",
            None,
        ),
        (110, "mAP,mAP50,error,lost,new,MB,PAD,ms,ms builtin", None, None),
        (109, "mAP,mAP50,error,lost,new,MB,PAD,ms", None, "ms builtin"),
        # 110 less 13 of `ms builtin`, 7 each of `new` and `lost`, 8 of `error`: 75
        (
            80,
            "mAP,mAP50,MB,PAD,ms",
            "0.5741,0.8416,123.45,7,1234.56",
            "error, lost, new, ms builtin",
        ),
        # less 9 of `mAP50` and 9 of `MB`: 57
        (60, "mAP,PAD,ms", "0.5741,7,1234.56", "mAP50, error, lost, new, MB, ms builtin"),
        (57, "mAP,PAD,ms", "0.5741,7,1234.56", "mAP50, error, lost, new, MB, ms builtin"),
    ],
)
def test_columns_are_left_out_by_importance_and_no_number_is_cut(
    at_width, columns, headings, numbers, left_out
):
    lines = at_width(columns)
    shown, cells = table_of(lines)
    assert shown == ["model", *headings.split(",")]
    if numbers:
        assert cells == [NAME, *numbers.split(",")]
    assert max(map(len, lines[:6])) <= columns
    said = [line for line in lines if line.startswith("left out")]
    assert said == (
        [
            f"left out at {columns} columns: {left_out}; a wider terminal or a pipe "
            "(… | less -S) shows them"
        ]
        if left_out
        else []
    )


def test_what_is_left_out_is_not_explained(at_width):
    text = "\n".join(at_width(80))
    assert "ms: median of one inference" in text
    assert "error: largest" not in text
    assert "lost, new:" not in text


def test_where_the_indispensable_columns_do_not_fit_each_model_has_a_card(at_width, row):
    lines = at_width(56, row(NAME, **WIDE), row("widen", failure="no room"), row("x", map=0.25))
    assert lines[:13] == [
        NAME,
        "  mAP          0.5741",
        "  ms          1234.56",
        "  PAD               7",
        "  MB           123.45",
        "  mAP50        0.8416",
        "  error         3e-06",
        "  lost            345",
        "  new            1168",
        "  ms builtin 10234.56",
        "widen",
        "  failed",
        "x",
    ]
    assert lines[13] == "  mAP          0.2500"
    assert lines[14].startswith("error: largest difference")


def test_a_pipe_has_no_width_unless_columns_says_so(at_width, row, printed, monkeypatch):
    piped = at_width(80, row("PyTorch"), row(NAME + 100 * "x", **WIDE), force_terminal=False)
    assert table_of(piped)[1][-1] == "10234.56"
    assert len(piped[4]) == 110 + 100
    printed.truncate(0)
    printed.seek(0)
    monkeypatch.setenv("COLUMNS", "80")
    assert table_of(at_width(80, force_terminal=False))[0][-1] == "ms"


def test_without_colours_a_terminal_shows_the_same_words(at_width, printed, monkeypatch):
    plain = at_width(80)
    printed.truncate(0)
    printed.seek(0)
    monkeypatch.setenv("NO_COLOR", "1")
    text = "\n".join(at_width(80, color_system="truecolor"))
    codes = set(re.findall(r"\x1b\[([\d;]*)m", text))
    assert codes <= {"0", "1", "2", "3", "2;3"}  # bold, dim, italic; neither dark nor light
    assert re.sub(r"\x1b\[[\d;]*m", "", text).splitlines() == plain


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
