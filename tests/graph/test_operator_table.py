"""docs/convert.md lists what the canonical form does to operators, from the passes themselves."""

import inspect
import os
import re
from pathlib import Path

from mmdet2tflite.graph.canonical import PASSES

PAGE = Path(__file__).parents[2] / "docs/convert.md"
MARKERS = re.compile(r"(<!-- operators: .*? -->\n)(.*?)(<!-- /operators -->)", re.DOTALL)


def table() -> str:
    """A row for each pass: what it is called, and the first line of its docstring."""
    rows = ["| pass | what it does |", "|---|---|"]
    for kind in dict.fromkeys(PASSES):
        words = (
            (inspect.getdoc(kind) or "").partition("\n")[0].replace("``", "`").replace("|", "\\|")
        )
        file = inspect.getfile(kind).rpartition("/")[2]
        rows.append(f"| [{kind.__name__}](../mmdet2tflite/graph/passes/{file}) | {words} |")
    return "\n".join(rows) + "\n"


def test_the_page_says_what_the_passes_do() -> None:
    text = PAGE.read_text(encoding="utf-8")
    wanted = MARKERS.sub(lambda found: found[1] + table() + found[3], text)
    if os.environ.get("MAKE_GOLDEN"):
        PAGE.write_text(wanted, encoding="utf-8")
    assert MARKERS.search(text)
    assert PAGE.read_text(encoding="utf-8") == wanted
