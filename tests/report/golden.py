"""Golden snapshots of what reports say, in tests/golden/reports/.

To make them anew, and see what has changed:

    MAKE_GOLDEN=1 python -m pytest tests/report tests/cli; git diff tests/golden/reports
"""

import os
import re
from html.parser import HTMLParser
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden" / "reports"
UNSEEN = {"style", "script", "defs", "text"}
"""With what is in them; ``text`` is of plots, whose numbers their titles tell, too."""
LINES = {
    "tr",
    "p",
    "h1",
    "h2",
    "h3",
    "caption",
    "summary",
    "details",
    "figure",
    "figcaption",
    "pre",
}
TOLD = {"class", "data-value", "style", "title", "open"}
"""Attributes that say something."""
LAYOUT = {"name", "scroll", "scroll wide", "note", "dim", "strip", "plain", "plots", "mistakes"}
"""Classes that do not."""
ACCIDENTS = {r"\b[0-9a-f]{16,}\b": "DIGEST", r"\b20\d\d-\d\d-\d\d\b": "DATE"}


def check_golden(name: str, text: str) -> None:
    """A text is that of the snapshot, but for digests and dates."""
    file = FOLDER / name
    for accident, word in ACCIDENTS.items():
        text = re.sub(accident, word, text)
    if os.environ.get("MAKE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), "if this is meant: see tests/report/golden.py"


class Shown(HTMLParser):
    """A page as lines: what can be read, and in brackets what is told by colour or when hovered."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.unseen = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unseen += tag in UNSEEN
        if self.unseen or tag in ("path", "use", "g", "svg"):
            return
        told = [f"{n}={v}" for n, v in attrs if n in TOLD and not (n == "class" and v in LAYOUT)]
        self.parts.append("\n" if tag in LINES else "| " if tag in ("td", "th") else "")
        if told:
            self.parts.append(f"[{', '.join(told)}] ")

    def handle_endtag(self, tag: str) -> None:
        self.unseen -= tag in UNSEEN

    def handle_data(self, data: str) -> None:
        if not self.unseen and data.strip():
            self.parts.append(" ".join(data.split()) + " ")

    def __str__(self) -> str:
        lines = (line.strip() for line in "".join(self.parts).split("\n"))
        return "\n".join(line for line in lines if line) + "\n"
