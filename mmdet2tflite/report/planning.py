"""The padding plan in the terminal: what every strategy would do, and the sites that decide."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

LOG_WIDTH = 140
CAPTION = """\
H, W: rows, columns; pads: begin,end as exported → as far as a window reaches them.
Without --all only the sites that SAME does not compute are listed."""


def print_plan(plan: Mapping[str, Any], *, every_site: bool) -> None:
    """Print what ``graph.plan.describe_plan`` returned."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH, highlight=False)
    console.print(_strategies(plan["strategies"]))
    sites = plan["sites"]
    wrong = [site for site in sites if not site["same"]]
    if wrong or every_site:
        console.print(_sites(sites if every_site else wrong))
    console.print(
        f"{len(wrong)} of {len(sites)} convolutions and poolings are not SAME in TensorFlow's "
        f"sense; recommended: --padding {plan['recommended']}"
    )
    for reason in plan["strategies"]["auto"]["reasons"]:
        console.print(f"  {reason}")


def _strategies(strategies: Mapping[str, Any]) -> Table:
    table = Table()
    table.add_column("strategy", no_wrap=True)
    for heading in ("exact", "PAD", "extra mult.", "reversals inside"):
        table.add_column(heading, justify="right")
    table.add_column("what it does, or why it refuses")
    for name, found in strategies.items():
        if name == "auto":
            continue
        exact = "yes" if found["exact"] else "no"
        if "refused" in found:
            table.add_row(name, exact, "–", "–", "–", f"refuses: {found['refused']}")
            continue
        numbers = ("pads", "extra_multiplications")
        pads, extra = (f"{found[name]:,}" for name in numbers)
        inside = str(len(found["reversals_inside"]))
        table.add_row(name, exact, pads, extra, inside, found["summary"])
    return table


def _sites(sites: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(caption=CAPTION, caption_justify="left")
    table.add_column("site", overflow="fold")
    for heading in ("kernel", "stride", "input", "output", "pads H", "pads W", "SAME"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in ("mirror", "widen"):
        table.add_column(name, no_wrap=True)
    for site in sites:
        table.add_row(
            f"{site['operator']} {site['name']}",
            *(_pair(site[key]) for key in ("kernel", "stride", "input", "output")),
            *(_pads(site, axis) for axis in (0, 1)),
            "yes" if site["same"] else "no",
            *(_treatment(site["strategies"].get(name)) for name in ("mirror", "widen")),
        )
    return table


def _pair(values: Sequence[int]) -> str:
    return "x".join(str(value) for value in values)


def _pads(site: Mapping[str, Any], axis: int) -> str:
    exported, effective = site["pads"][axis], site["effective_pads"][axis]
    words = ",".join(str(pad) for pad in exported)
    return words if exported == effective else f"{words} → {effective[0]},{effective[1]}"


def _treatment(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    if "zero_taps" not in found:
        return str(found["treatment"])
    rows, columns = (sum(taps) for taps in found["zero_taps"])
    return f"widened by {rows}x{columns}"
