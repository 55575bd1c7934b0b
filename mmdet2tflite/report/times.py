"""Where integers fail to save time: which layers of a quantised file are slow, and by how much."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet2tflite.quantize.precisions import is_calibrated
from mmdet2tflite.report.losses import measured, sibling

EXPECTED = 0.6
"""Of the float32 file's latency: what a statically quantised file should stay under."""
SHOWN = 8
"""Layers in a table."""
SUFFIXES = re.compile("(?:_(?:rotated|quantised|dequant|quantized|wide))*$")
"""What names get where the network's own tensor is not the file's input or output any more."""

type Row = Mapping[str, Any]
type Times = Sequence[Mapping[str, Any]]


def find_times(rows: Sequence[Row], tables: Mapping[str, Times]) -> list[dict[str, Any]]:
    """Every statically quantised file that takes more than 0.6 of its float32 file's time.

    Args:
        rows: of ``comparison.json``.
        tables: what ``operators.json`` holds, by variant.

    Returns:
        By file ``variant``, ``reference``, ``ratio`` (of ``latency_ms``), ``sentence``,
        ``operators``: milliseconds by kind in both files, and ``layers``: those of the file whose
        time exceeds 0.6 of the same layer's in float32 most, by ``excess`` in milliseconds. A layer
        that the float32 file has not (QUANTIZE) is all excess.
    """
    found = []
    for row in measured(rows):
        reference = sibling(rows, row, "float32")
        if reference is None or not is_calibrated(row["precision"]):
            continue
        ratio = row["metrics"]["latency_ms"] / reference["metrics"]["latency_ms"]
        if ratio <= EXPECTED:
            continue
        own, real = tables[row["variant"]], tables[reference["variant"]]
        if not own:  # no operator of it runs by itself
            continue
        layers = _layers(own, real)
        found.append(
            {
                "variant": row["variant"],
                "reference": reference["variant"],
                "ratio": ratio,
                "sentence": f"{row['variant']} takes {ratio:.2f} of the time of "
                f"{reference['variant']}. {_blame(layers)}",
                "operators": _kinds(own, real),
                "layers": layers[:SHOWN],
            }
        )
    return found


def _layers(own: Times, real: Times) -> list[dict[str, Any]]:
    """All layers, the one with the largest excess first."""
    before = {_key(each): each["milliseconds"] for each in real}
    layers = []
    for each in own:
        float32 = before.get(_key(each))
        excess = each["milliseconds"] - EXPECTED * (float32 or 0.0)
        layers.append({**each, "float32": float32, "excess": excess})
    return sorted(layers, key=lambda layer: layer["excess"], reverse=True)


def _key(layer: Mapping[str, Any]) -> tuple[str, str]:
    """What a layer has in common with that of another precision."""
    return layer["operator"], SUFFIXES.sub("", layer["layer"])


def _kinds(own: Times, real: Times) -> dict[str, dict[str, float]]:
    """Sum by kind of operator, the slowest kind of the quantised file first."""
    sums: dict[str, dict[str, float]] = defaultdict(lambda: {"own": 0.0, "float32": 0.0})
    for side, times in (("own", own), ("float32", real)):
        for each in times:
            sums[each["operator"]][side] += each["milliseconds"]
    return dict(sorted(sums.items(), key=lambda item: item[1]["own"], reverse=True))


def _blame(layers: Sequence[Mapping[str, Any]]) -> str:
    worst = layers[0]
    against = "" if worst["float32"] is None else f", {worst['float32']:.2f} ms in float32"
    slower = [layer for layer in layers if layer["float32"] and _is_slower(layer)]
    total = sum(layer["milliseconds"] for layer in layers)
    share = sum(layer["milliseconds"] for layer in slower) / total
    return (
        f"{len(slower)} of its {len(layers)} operators, {share:.0%} of its time, are no faster "
        f"than in float32. The first in the way is {worst['layer']} ({worst['operator']}): "
        f"{worst['milliseconds']:.2f} ms{against}."
    )


def _is_slower(layer: Mapping[str, Any]) -> bool:
    return bool(layer["milliseconds"] >= layer["float32"])
