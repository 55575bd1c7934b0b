"""The results as a table for the terminal, as Markdown and as JSON."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.chaos.verdict import KINDS, Result
from benchmarks.conversion.reasons import without_folders
from mmdet2tflite.processes import machine

HEADINGS = ("", "tried", "survived", "lost", "stuck", "tracebacks", "orphans", "not tried")
TOOLS = ("mlflow", "mmdet", "onnx2tf", "prefect", "tensorflow", "torch")


def rows(results: Sequence[Result]) -> list[list[str]]:
    """A row per group, in the order of their first case, and one for all."""
    groups = list(dict.fromkeys(result.group for result in results))
    counted = [
        [group, *_counts([result for result in results if result.group == group])]
        for group in groups
    ]
    return [*counted, ["all", *_counts(results)]]


def describe(results: Sequence[Result], command: str, seed: int, seconds: float) -> dict[str, Any]:
    """Everything that was found out, and on what, as a JSON value."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
        "seed": seed,
        "minutes": round(seconds / 60, 1),
        "machine": {
            "cpu": machine.cpu_model(),
            "cores": machine.cores(),
            "system": platform.platform(terse=True),
            "python": platform.python_version(),
        },
        "versions": {tool: version(tool) for tool in TOOLS},
        "table": [list(HEADINGS), *rows(results)],
        "cases": [_without_folders(asdict(result)) for result in results],
    }


def markdown(values: Mapping[str, Any]) -> str:
    """The table, the machine, and every case that did not survive."""
    head, *body = values["table"]
    machine_, versions = values["machine"], values["versions"]
    lines = [
        f"| {' | '.join(head)} |",
        f"| --- |{' --: |' * (len(head) - 1)}",
        *(f"| {' | '.join(row)} |" for row in body),
        "",
        f"{values['date']}, {values['minutes']:g} minutes, `{values['command']}` (seed "
        f"{values['seed']}); {machine_['cpu']}, {machine_['cores']} cores; {machine_['system']}; "
        f"Python {machine_['python']}, "
        + ", ".join(f"{tool} {number}" for tool, number in versions.items())
        + ".",
    ]
    notable = [line for case in values["cases"] for line in _notable(case)]
    return "\n".join([*lines, *(["", *notable] if notable else [])])


def save(values: Mapping[str, Any], path: Path) -> None:
    """Write the JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def line(result: Result) -> str:
    """A case for the terminal, as it ends."""
    if result.not_tried:
        return f"– {result.name}: not tried: {result.not_tried}"
    mark = "✓" if result.survived else "✗"
    statuses = ", ".join(map(str, result.statuses))
    head = f"{mark} {result.name}  {result.seconds:.0f} s, status {statuses}: {result.detail}"
    return "\n".join([head, *(f"    {found.kind}: {found.text}" for found in result.findings)])


def _without_folders(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_folders(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_folders(each) for each in value]
    return without_folders(value) if isinstance(value, str) else value


def _counts(results: Sequence[Result]) -> list[str]:
    tried = [result for result in results if not result.not_tried]
    numbers = [
        len(tried),
        sum(result.survived for result in tried),
        *(sum(result.has(kind) for result in tried) for kind in KINDS),
        len(results) - len(tried),
    ]
    return [str(number) for number in numbers]


def _notable(case: Mapping[str, Any]) -> list[str]:
    if case["not_tried"]:
        return [f"* `{case['name']}` was not tried: {case['not_tried']}"]
    return [
        f"* `{case['name']}` ({case['detail']}): {found['kind']}: {_plain(found['text'])}"
        for found in case["findings"]
    ]


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "/").split())[:300]
