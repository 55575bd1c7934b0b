"""One sentence on a run: which file to take. Every word of it is computed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

TOLERATED_LOSS = 0.005
"""Of mAP, against the first model: what a user of the detector would not notice."""
NOISE = 0.1
"""Two files whose latencies (or sizes) differ by less than this fraction are as good."""
RACES = {"latency_ms": ("the fastest", "ms"), "size_mb": ("the smallest", "MB")}
"""Metric: superlative, unit."""

type Row = Mapping[str, Any]


def summarise(rows: Sequence[Row]) -> str:
    """Name the fastest and the smallest file that keeps the accuracy.

    1. Candidates are TFLite files of an exact strategy whose mAP is at most 0.005 below that of
       the first row.
    2. The fastest has the lowest ``latency_ms``, the smallest the lowest ``size_mb``; others within
       10 % of it are counted.
    3. Without a candidate, the file with the highest mAP is named.
    4. If the first row's mAP is no more than what may be lost, no file is recommended.
    5. Nor is one of a network whose outputs have no decoder.

    Args:
        rows: of ``comparison.json``; the first is the model that all are made of.
    """
    failed = sum(bool(row["failure"]) for row in rows)
    ending = f" {_count(failed, 'variant')} failed." if failed else ""
    return _verdict(rows) + ending


def _verdict(rows: Sequence[Row]) -> str:
    files = [row for row in rows if row["kind"] == "tflite" and "map" in row["metrics"]]
    if not files:
        if any(row["kind"] == "tflite" and row["metrics"] for row in rows):  # rule 5
            return (
                "The TFLite files have no mAP, because there is no decoder for what they give: "
                "compare parity, latency and size."
            )
        return "No TFLite file was measured."
    reference = rows[0]["metrics"]["map"]
    if reference <= TOLERATED_LOSS:  # rule 4
        return f"{rows[0]['variant']}'s mAP is {reference:.4f}: there is no accuracy to keep."
    accuracy = f"{rows[0]['variant']}'s mAP of {reference:.4f} within {TOLERATED_LOSS}"
    lowest = reference - TOLERATED_LOSS
    kept = [row for row in files if row["exact"] and row["metrics"]["map"] >= lowest]
    if not kept:  # rule 3
        best = max(files, key=lambda row: row["metrics"]["map"])
        return (
            f"No exact TFLite file keeps {accuracy}; the best is {best['variant']} with "
            f"{best['metrics']['map']:.4f}."
        )
    if len(kept) == 1:
        return f"{kept[0]['variant']} is the only exact TFLite file that keeps {accuracy}."
    words = _winners(kept)
    return f"Of {len(kept)} exact TFLite files that keep {accuracy}, {words}."


def _winners(rows: Sequence[Row]) -> str:
    """Rule 2."""
    titles: dict[str, list[str]] = {}
    for metric, (superlative, unit) in RACES.items():
        values = {row["variant"]: row["metrics"].get(metric, math.inf) for row in rows}
        best = min(values, key=lambda name: values[name])
        if math.isinf(values[best]):
            continue  # not measured
        close = sum(value <= values[best] * (1 + NOISE) for value in values.values()) - 1
        others = f"; {_count(close, 'other')} within {NOISE:.0%}" if close else ""
        words = f"{superlative} ({values[best]:.2f} {unit}{others})"
        titles.setdefault(best, []).append(words)
    return " and ".join(f"{name} is {' and '.join(words)}" for name, words in titles.items())


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
