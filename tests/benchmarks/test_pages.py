"""A page of docs/ gets what a benchmark measured, and keeps all else."""

from pathlib import Path

import pytest

from benchmarks.pages import write_between


def test_only_what_stands_between_the_markers_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    around = "before\n<!-- zoo: begin -->\n{}\n<!-- zoo: end -->\nafter <!-- chaos: end -->\n"
    page.write_text(around.format("old"))
    write_between(page, "zoo", "new")
    assert page.read_text() == around.format("new")
    with pytest.raises(ValueError, match="lacks <!-- chaos: begin -->"):
        write_between(page, "chaos", "new")
    assert page.read_text() == around.format("new")
