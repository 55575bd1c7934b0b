"""The padding plan in the terminal: what each strategy would do, window operator by operator."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from mmdet2tflite.report.terminal import SafeConsole

LOG_WIDTH = 140
SHOWN = ("mirror", "widen")
"""The strategies with a column of their own: what they do differs from window to window."""
CAPTION = """\
rows x columns; pads: begin,end as exported → as far as a window reaches them;
+1x1: widened by one row and one column of zeros"""


def print_plan(plan: Mapping[str, Any], *, every_window: bool) -> None:
    """Print what ``graph.plan.describe_plan`` returned."""
    console = SafeConsole()
    if not console.is_terminal:
        console = SafeConsole(width=LOG_WIDTH)
    windows, strategies = plan["sites"], plan["strategies"]
    console.print(_strategies(strategies, sum(window["multiplications"] for window in windows)))
    for name, found in strategies.items():
        if "refused" in found:
            console.print(escape(f"{name} refuses: {found['refused']}"))
    shown = [window for window in windows if every_window or _is_telling(window)]
    if shown:
        console.print(_windows(shown))
    if len(shown) < len(windows):
        console.print(f"{len(windows) - len(shown)} more, SAME whatever is done: see --all")
    wrong = sum(not window["same"] for window in windows)
    console.print(
        f"{wrong} of {len(windows)} convolutions and poolings are not SAME in TensorFlow's sense; "
        f"recommended: --padding {plan['recommended']}"
    )
    for reason in strategies["auto"]["reasons"]:
        console.print(escape(f"  {reason}"))


def _strategies(strategies: Mapping[str, Any], multiplications: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("strategy", no_wrap=True)
    for heading in ("exact", "PAD", "mult.", "reversed\ninside"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("what it does")
    for name, found in strategies.items():
        if name == "auto":
            continue
        numbers = ["–", "–", "–"]
        if "refused" not in found:
            more = found["extra_multiplications"] / max(1, multiplications)
            numbers = [str(found["pads"]), f"+{more:.1%}", str(len(found["reversals_inside"]))]
        exact = "yes" if found["exact"] else "no"
        table.add_row(name, exact, *numbers, found["summary"])
    return table


def _is_telling(window: Mapping[str, Any]) -> bool:
    """Whether somebody has to do something about this window operator."""
    padding_modes = [_padding_mode(window, name) for name in SHOWN]
    return not window["same"] or any(found not in ("–", "SAME", "VALID") for found in padding_modes)


def _windows(windows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=CAPTION, caption_justify="left")
    table.add_column("operator", overflow="fold")
    for heading in ("kernel\n/stride", "input → output", "pads", "SAME", *SHOWN):
        table.add_column(heading, no_wrap=True)
    for window in windows:
        rows, columns = (_pads(window, axis) for axis in (0, 1))
        table.add_row(
            escape(f"{window['operator']} {window['name']}"),
            f"{_pair(window['kernel'])}/{_pair(window['stride'])}",
            f"{_pair(window['input'])} → {_pair(window['output'])}",
            rows if rows == columns else f"{rows}\n{columns}",
            "yes" if window["same"] else "no",
            *(_padding_mode(window, name) for name in SHOWN),
        )
    return table


def _pair(values: Sequence[int]) -> str:
    return "x".join(str(value) for value in values)


def _pads(window: Mapping[str, Any], axis: int) -> str:
    exported, effective = window["pads"][axis], window["effective_pads"][axis]
    words = ",".join(str(pad) for pad in exported)
    return words if exported == effective else f"{words} → {effective[0]},{effective[1]}"


def _padding_mode(window: Mapping[str, Any], strategy: str) -> str:
    found = window["strategies"].get(strategy)
    if found is None:
        return "–"
    if "zero_taps" not in found:
        return str(found["treatment"])
    return "+" + _pair([sum(taps) for taps in found["zero_taps"]])
