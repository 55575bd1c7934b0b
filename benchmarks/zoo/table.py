"""The records as a summary, a table, and lines of what is not as it should be."""

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from benchmarks.zoo.record import Made, Record, Tool
from benchmarks.zoo.timm_packages import REQUIREMENT
from mmdet2tflite.processes import machine

TOOLS = ("onnx2tf", "ai-edge-litert", "onnxruntime", "torch", "torchvision", "mmdet")
HEADINGS = (
    *("network", "nodes", "plain", "ours", "error plain", "error ours"),
    *("PAD", "TRANSPOSE", "operators", "latency"),
)
GOALS = {"of those that plain onnx2tf converts": 0.98, "of all": 0.95}


@dataclass(frozen=True)
class Page:
    """What the page says.

    Args:
        summary: lines of Markdown.
        rows: of the table, a network each.
        notes: networks with more TRANSPOSE than plain, failures and their reasons.
        measured: command, machine, versions.
    """

    summary: str
    rows: list[list[str]]
    notes: list[str]
    measured: str


def describe(records: Sequence[Record], command: str) -> Page:
    """Everything that was found out, and on what."""
    finished = [record for record in records if len(record.made) == 2]
    return Page(
        _summary(records, finished),
        [_row(record) for record in finished],
        [note for record in records for note in _notes(record)],
        _measured(finished, command),
    )


def _summary(records: Sequence[Record], finished: Sequence[Record]) -> str:
    def right(tool: Tool, among: Sequence[Record]) -> list[Record]:
        return [record for record in among if record.made[tool].right]

    by_plain = right("plain", finished)
    outcomes = Counter(record.made["ours"].outcome for record in finished)
    more = [record for record in finished if more_transposes(record)]
    ratios = sorted(record.ratio for record in finished if record.ratio is not None)
    lines = [
        f"* {len(finished)} networks of {len({record.family for record in finished})} families"
        + _not_exported(records),
        f"* converted rightly: by plain onnx2tf {_share(len(by_plain), len(finished))}, "
        f"by `mmdet2tflite convert` {_share(outcomes['right'], len(finished))} (goal 95 %)",
        "* of those that plain onnx2tf converts rightly: "
        f"{_share(len(right('ours', by_plain)), len(by_plain))} (goal 98 %)",
        f"* ours: {outcomes['refused']} refused in one line, {outcomes['timed out']} timed out, "
        f"{outcomes['wrong']} wrong (goal 0), {outcomes['traceback']} tracebacks (goal 0)",
        f"* more TRANSPOSE than plain: {len(more)} (goal 0)",
    ]
    if ratios:
        middle = ratios[len(ratios) // 2]
        lines.append(
            f"* latency, ours to plain: median {middle:.2f}, from {ratios[0]:.2f} to "
            f"{ratios[-1]:.2f} ({len(ratios)} networks; LiteRT, XNNPACK, one thread)"
        )
    return "\n".join(lines)


def _not_exported(records: Sequence[Record]) -> str:
    number = sum(bool(record.exported) for record in records)
    return f"; {number} more could not be exported" if number else ""


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" = {100 * part / whole:.1f} %" if whole else "")


def more_transposes(record: Record) -> bool:
    """Whether our file has more than plain onnx2tf's, both being right."""
    made = record.made
    return record.both_right and made["ours"].transposes > made["plain"].transposes


def _row(record: Record) -> list[str]:
    plain, ours = record.made["plain"], record.made["ours"]
    ratio = "" if record.ratio is None else f"{record.ratio:.2f}"
    counts = [f"{_count(plain, name)} → {_count(ours, name)}" for name in COUNTS]
    return [
        record.name,
        str(record.nodes),
        plain.outcome,
        ours.outcome,
        _error(plain),
        _error(ours),
        *counts,
        ratio,
    ]


COUNTS = ("pads", "transposes", "operators")


def _count(made: Made, name: str) -> str:
    return str(getattr(made, name)) if made.operators else "–"


def _error(made: Made) -> str:
    return "–" if made.error is None else f"{made.error:.0e}"


def _notes(record: Record) -> list[str]:
    if record.exported:
        return [f"* `{record.name}` could not be exported: {record.exported}"]
    if len(record.made) < 2:
        return []
    plain, ours = record.made["plain"], record.made["ours"]
    notes = []
    if not ours.right:
        also = "plain onnx2tf converts it" if plain.right else f"plain: {_outcome(plain)}"
        notes.append(f"* `{record.name}`: {_outcome(ours)} ({also})")
    elif not plain.right:
        notes.append(f"* `{record.name}`: right; plain: {_outcome(plain)}")
    if more_transposes(record):
        notes.append(
            f"* `{record.name}`: TRANSPOSE {ours.transposes}, plain onnx2tf {plain.transposes}"
        )
    return notes


def _outcome(made: Made) -> str:
    return f"{made.outcome}: {made.reason}" if made.reason else made.outcome


def _measured(finished: Sequence[Record], command: str) -> str:
    versions = [f"{tool} {version(tool)}" for tool in TOOLS] + [REQUIREMENT.replace("==", " ")]
    sources = ", ".join(sorted({record.sources for record in finished if record.sources}))
    return (
        f"{datetime.now(UTC).date().isoformat()}, `{command}`; {machine.cpu_model()}, "
        f"{machine.cores()} cores; {platform.platform(terse=True)}; Python "
        f"{platform.python_version()}, {', '.join(versions)}; sources of the library: {sources}."
    )


def markdown(page: Page) -> str:
    """What stands between the page's markers."""
    return "\n".join(
        [
            page.summary,
            "",
            page.measured,
            "",
            f"| {' | '.join(HEADINGS)} |",
            f"| --- |{' --: |' * (len(HEADINGS) - 1)}",
            *(f"| {' | '.join(row)} |" for row in page.rows),
            *(["", *page.notes] if page.notes else []),
        ]
    )


def line(record: Record) -> str:
    """A network for the terminal, as it ends."""
    if record.exported:
        return f"– {record.name}: not exported: {record.exported}"
    parts = []
    for tool, made in record.made.items():
        numbers = f" T{made.transposes} P{made.pads} {made.seconds:.0f}s"
        parts.append(f"{tool} {_outcome(made)}{numbers}")
    mark = "✓" if record.made["ours"].right else "✗"
    more = "  MORE TRANSPOSE" if more_transposes(record) else ""
    return f"{mark} {record.name}: {'; '.join(parts)}{more}"
