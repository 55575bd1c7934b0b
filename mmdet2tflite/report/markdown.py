"""A comparison as Markdown, for pages that show nothing else (MLflow's and Prefect's).

Names of classes, layers and files, and what tools said, are strangers' texts: ``plain`` and
``quoted`` let them stand there as they are, without a link, a picture or a column of their own.
"""

import re
from collections.abc import Mapping
from typing import Any

from mmdet2tflite.report.columns import COLUMNS, cell
from mmdet2tflite.safe_text import plain, visible_lines, without_password


def quoted(text: str) -> str:
    """Lines of a text as they are, in a block whose fence is longer than any in the text."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{fence}\n{visible_lines(without_password(text))}\n{fence}"


def markdown(comparison: Mapping[str, Any]) -> str:
    """Summary, table, reasons of failures, out of what ``comparison.json`` holds."""
    headings = ("model", *(column.heading for column in COLUMNS))
    lines = [plain(comparison["summary"]), "", _line(headings)]
    lines.append(_line(("---", *("--:" for _ in COLUMNS))))
    for row in comparison["rows"]:
        cells = [cell(row["metrics"], column) for column in COLUMNS]
        if row["failure"]:
            cells[0] = "failed"
        lines.append(_line((plain(row["variant"]), *cells)))
    for model, sentence in comparison["mistakes"].items():
        lines += ["", plain(f"{model}: {sentence}")]
    for cost in comparison["precisions"]:
        lines += ["", plain(cost["sentence"])]
    for loss in comparison["losses"]:
        lines += ["", plain(loss["sentence"])]
        lines += [f"* {_layer(layer)}" for layer in loss["layers"]]
    for sentence in comparison["budgets"]:
        lines += ["", plain(sentence)]
    for file in comparison["magnitudes"]:
        if file["overflow"]:
            lines += ["", plain(file["overflow"])]
    for row in comparison["rows"]:
        if row["failure"]:
            lines += ["", f"**{plain(row['variant'])}**", "", quoted(row["failure"])]
    return "\n".join(lines)


def _layer(layer: Mapping[str, Any]) -> str:
    share = "" if layer["share"] is None else f", {layer['share']:.0%} of the noise"
    return f"{plain(layer['operator'])} {plain(layer['layer'])}{share}"


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
