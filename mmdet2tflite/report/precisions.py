"""What other precisions cost and save against the float32 files that they were made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmdet2tflite.parity.parity import COUNTED_SCORE
from mmdet2tflite.report.losses import measured, sibling

FLOAT32 = "float32"
POINT = 0.01
"""Of mAP; ``variants.accuracy_budget`` is in points."""

NOTABLE_SHIFT = 0.01
"""Of the score that stands for float32's."""

type Row = Mapping[str, Any]


def accuracy_budget(experiment: Mapping[str, Any]) -> float | None:
    """How much mAP a file may lose against float32, if the experiment says so."""
    points = experiment.get("variants", {}).get("accuracy_budget")
    return None if points is None else POINT * points


def find_costs(rows: Sequence[Row], budget: float | None) -> list[dict[str, Any]]:
    """Every measured file of another precision whose float32 file was measured.

    Args:
        rows: of ``comparison.json``.
        budget: of mAP, see ``accuracy_budget``.

    Returns:
        By file ``variant``, ``reference``, ``map``, ``loss`` with ``low`` and ``high`` (an interval
        of ``confidence``, see ``precision_loss``), ``chance``: the interval holds 0, ``kept``: the
        loss is within the budget (None without one), ``size`` and ``latency`` as fractions of
        float32's (None where not measured), and ``sentence``.
    """
    found = []
    for row in measured(rows):
        reference = sibling(rows, row, FLOAT32)
        if row["precision"] == FLOAT32 or reference is None or not row["loss"]:
            continue
        loss = row["loss"]
        found.append(
            {
                "variant": row["variant"],
                "reference": reference["variant"],
                "map": row["metrics"]["map"],
                **{name: loss[name] for name in ("loss", "low", "high", "confidence")},
                "chance": loss["low"] <= 0 <= loss["high"],
                "kept": None if budget is None else loss["loss"] <= budget,
                "size": _ratio(row, reference, "size_mb"),
                "latency": _ratio(row, reference, "latency_ms"),
                "sentence": f"{row['variant']} {_describe(loss, reference['variant'])}"
                + _describe_score(row["metrics"].get("parity.matching_score", COUNTED_SCORE)),
            }
        )
    return found


def _ratio(row: Row, reference: Row, metric: str) -> float | None:
    values = [each["metrics"].get(metric) for each in (row, reference)]
    return None if None in values else float(values[0] / values[1])


def _describe_score(score: float) -> str:
    """What an application has to know whose threshold was found with the float32 file."""
    if abs(score - COUNTED_SCORE) < NOTABLE_SHIFT:
        return ""
    return (
        f" Its scores are {'lower' if score < COUNTED_SCORE else 'higher'}: cut at {score:.2f} as "
        f"many detections are left as float32 has over {COUNTED_SCORE:g}."
    )


def _describe(loss: Mapping[str, Any], reference: str) -> str:
    low, high = 100 * loss["low"], 100 * loss["high"]
    where = f"{loss['confidence']:.0%} of the draws of {loss['images']} images"
    if loss["low"] <= 0 <= loss["high"]:
        return (
            f"differs from {reference} by no more than chance does: it loses "
            f"{100 * loss['loss']:.1f} mAP points, {low:.1f} to {high:.1f} in {where}."
        )
    verb, ends = ("loses", (low, high)) if loss["low"] > 0 else ("gains", (-high, -low))
    return (
        f"{verb} {100 * abs(loss['loss']):.1f} mAP points against {reference}, {ends[0]:.1f} to "
        f"{ends[1]:.1f} in {where}."
    )
