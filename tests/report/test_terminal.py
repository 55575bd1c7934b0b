import io

import pytest
from rich.console import Console

from mmdet2tflite.artifacts import Report
from mmdet2tflite.report import terminal
from mmdet2tflite.report.terminal import announce, comparison_table, latencies, progress_bar


def report(variant: str, **metrics: float) -> Report:
    return Report(runtime="litert", variant=variant, model="", metrics=metrics)


@pytest.fixture
def printed(monkeypatch) -> io.StringIO:
    output = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=output, width=120, highlight=False))
    return output


def test_a_row_shows_a_models_figures_and_a_dash_for_what_was_not_measured():
    table = comparison_table([report("PyTorch", map=0.57414, map_50=0.84159)])
    cells = [str(next(iter(column.cells))) for column in table.columns]
    assert cells[:3] == ["PyTorch", "0.5741", "0.8416"]
    assert set(cells[3:]) == {"–"}


def test_a_latency_is_that_of_one_thread_and_builtin_kernels_stand_apart():
    metrics = {
        "latency_ms.xnnpack.1": 2.184,
        "latency_ms.xnnpack.1.p90": 9.0,
        "latency_ms.xnnpack.2": 1.5,
        "latency_ms.builtin.1": 10.066,
    }
    assert latencies(report("tflite", **metrics)) == ("2.18", "10.07")
    assert latencies(report("onnx", **{"latency_ms.onnxruntime.1": 2.376})) == ("2.38", "–")


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
