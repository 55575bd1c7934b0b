"""matplotlib's figures in a page: in its colours, light or dark, and with names to hover."""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {
    "#000000": "var(--fg)",
    "#1f77b4": "var(--accent)",
    "#d62728": "var(--bad)",
    "#2ca02c": "var(--green)",
    "#bcbd22": "var(--olive)",
    "#ff7f0e": "var(--orange)",
    "#9467bd": "var(--purple)",
    "#8c564b": "var(--brown)",
    "#7f7f7f": "var(--dim)",
    "#ffffff": "var(--card)",
    "#cccccc": "var(--line)",
    "#b0b0b0": "var(--line)",
}
"""matplotlib's black, white, tab: colours, and the greys of its grid and legend → the page's
(style.css)."""


def svg(figure: Figure, title: str) -> str:
    """An element for a page; a line with a ``gid`` tells it when it is hovered."""
    names: dict[str, str] = {}
    for line in (line for axes in figure.axes for line in axes.lines if line.get_gid()):
        names[f"line-{len(names)}"] = str(line.get_gid())
        line.set_gid(list(names)[-1])
    file = io.StringIO()
    unsaid = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=unsaid)
    text = file.getvalue()
    for part, name in names.items():
        text = text.replace(f'id="{part}">', f'class="line"><title>{escape(name)}</title>')
    text = re.sub("|".join(COLOURS), lambda found: COLOURS[found.group()], text)
    # Without the header of a file, and with rules for this element alone.
    _, content = re.sub(r' xmlns(:\w+)?="\S+"', "", text).replace("*{", ".plot *{").split("<svg", 1)
    return f'<svg class="plot" role="img" aria-label="{escape(title)}"{content}'
