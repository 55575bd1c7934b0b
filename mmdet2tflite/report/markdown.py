"""A comparison as Markdown, for pages that show nothing else (MLflow's and Prefect's)."""

from collections.abc import Mapping
from typing import Any

from mmdet2tflite.report.columns import COLUMNS, cell


def markdown(comparison: Mapping[str, Any]) -> str:
    """Summary, table, reasons of failures, out of what ``comparison.json`` holds."""
    headings = ("model", *(column.heading for column in COLUMNS))
    lines = [comparison["summary"], "", _line(headings)]
    lines.append(_line(("---", *("--:" for _ in COLUMNS))))
    for row in comparison["rows"]:
        cells = [cell(row["metrics"], column) for column in COLUMNS]
        if row["failure"]:
            cells[0] = "failed"
        lines.append(_line((row["variant"], *cells)))
    for model, sentence in comparison["mistakes"].items():
        lines += ["", f"{model}: {sentence}"]
    for loss in comparison["losses"]:
        lines += ["", loss["sentence"]]
        lines += [f"* {_layer(layer)}" for layer in loss["layers"]]
    for sentence in comparison["mixed"]:
        lines += ["", sentence]
    for row in comparison["rows"]:
        if row["failure"]:
            lines += ["", f"**{row['variant']}**", "", "```", row["failure"], "```"]
    return "\n".join(lines)


def _layer(layer: Mapping[str, Any]) -> str:
    share = "" if layer["share"] is None else f", {layer['share']:.0%} of the noise"
    return f"{layer['operator']} `{layer['layer']}`{share}"


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
