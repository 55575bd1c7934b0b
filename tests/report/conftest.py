"""A finished run, and what is made of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.report.finished_run import Run


@pytest.fixture
def finished(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What ``comparison.json`` and ``report.html`` of the run hold."""
    run = Run(tmp_path_factory.mktemp("compared"))
    comparison = run.compare()
    numbers = json.loads(run.store.path(comparison, comparison.numbers).read_text())
    return numbers, run.store.path(comparison, comparison.page).read_text()


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """A row of ``comparison.json`` with the fields that every one has."""

    def make(variant: str, *, failure: str = "", exact: bool = True, **metrics: float) -> Any:
        kind = "" if failure else ("checkpoint" if variant == "PyTorch" else "tflite")
        fields = {"variant": variant, "kind": kind, "exact": exact, "failure": failure}
        return {**fields, "metrics": metrics}

    return make
