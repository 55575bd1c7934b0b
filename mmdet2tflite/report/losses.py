"""Where integers lose accuracy: which layers do it, and what it costs to leave these in float32."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NOTABLE_LOSS = 0.002
"""Of mAP against the float32 file: what a statically quantised file may lose without a word."""
SHOWN = 8
"""Layers in a table."""

type Row = Mapping[str, Any]


def find_losses(
    rows: Sequence[Row], tables: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Every statically quantised file that loses more than 0.002 mAP against its float32 file.

    Args:
        rows: of ``comparison.json``.
        tables: what ``layers.json`` holds, by variant.

    Returns:
        By file ``variant``, ``reference``, ``loss`` (of mAP), ``sentence``, and ``layers``: those
        of ``layers.json`` that lose most. They are ranked by their share of the noise at the
        outputs, where a budget had that measured, and otherwise by the noise that their output has
        and their inputs do not.
    """
    found = []
    for row in measured(rows):
        reference = sibling(rows, row, "float32")
        if row["variant"] not in tables or reference is None:
            continue
        loss = reference["metrics"]["map"] - row["metrics"]["map"]
        if loss <= NOTABLE_LOSS:
            continue
        ranked = sorted(tables[row["variant"]]["layers"], key=_noise, reverse=True)
        found.append(
            {
                "variant": row["variant"],
                "reference": reference["variant"],
                "loss": loss,
                "sentence": f"{row['variant']} loses {100 * loss:.1f} mAP points against "
                f"{reference['variant']}. {_blame(ranked)}",
                "layers": ranked[:SHOWN],
            }
        )
    return found


def describe_budgets(rows: Sequence[Row]) -> list[str]:
    """What it took each file to keep its accuracy budget, in a sentence.

    Its gain and its cost are those against ``int8_io``, which has integers alone.
    """
    sentences = []
    for row in measured(rows):
        metrics = row["metrics"]
        if "budget.loss" not in metrics:
            continue
        real, total = (int(metrics[f"layers.{name}"]) for name in ("float32", "total"))
        tuned = "tuning.loss_after" in metrics
        loss = f"an estimated {metrics['budget.loss']:.1f} mAP points{' after tuning' * tuned}"
        exceeded = _exceeded(metrics)
        if not real:
            verb = "is of integers alone" if exceeded else "keeps its budget in integers"
            sentences.append(f"{row['variant']} {verb}: it loses {loss}.{exceeded}")
            continue
        before = f"{metrics['budget.loss_in_integers']:.1f}{' before' * tuned}"
        sentence = (
            f"{row['variant']} has {real} of its {total} layers in float32, "
            f"{metrics['layers.multiplications']:.1%} of the multiplications: it loses {loss}, in "
            f"integers alone {before}.{exceeded}"
        )
        plain = sibling(rows, row, "int8_io")
        sentences.append(f"{sentence} {_changes(row, plain)}" if plain else sentence)
    return sentences


def _exceeded(metrics: Mapping[str, float]) -> str:
    """Only a tuned file may: its layers were chosen before it was tuned."""
    allowed = metrics.get("budget.allowed", metrics["budget.loss"])
    if metrics["budget.loss"] <= allowed:
        return ""
    return (
        f" That is more than its budget of {allowed:g}: give training.tuning more iterations or "
        "images; or leave training.quantised out, and more layers stay in float32."
    )


def _changes(row: Row, plain: Row) -> str:
    metrics, others = row["metrics"], plain["metrics"]
    changes = [f"{100 * (metrics['map'] - others['map']):+.1f} mAP points"]
    for metric, what in (("size_mb", "size"), ("latency_ms", "latency")):
        if metric in metrics and metric in others:
            changes.append(f"{metrics[metric] / others[metric] - 1:+.0%} {what}")
    return f"Against {plain['variant']}: {', '.join(changes)}."


def measured(rows: Sequence[Row]) -> Iterator[Row]:
    """The TFLite files that have a mAP."""
    return (row for row in rows if row["kind"] == "tflite" and "map" in row["metrics"])


def sibling(rows: Sequence[Row], row: Row, precision: str) -> Row | None:
    """The file of another precision of the same strategy and converter."""
    names = ("strategy", "converter")
    return next(
        (
            other
            for other in measured(rows)
            if other["precision"] == precision and all(other[n] == row[n] for n in names)
        ),
        None,
    )


def _noise(layer: Mapping[str, Any]) -> float:
    if layer["share"] is not None:
        return float(layer["share"])
    if layer["snr_db"] is None or layer["source_snr_db"] is None:
        return 0.0
    power = [10 ** (-layer[name] / 10) for name in ("snr_db", "source_snr_db")]
    return float(power[0] - power[1])


def _blame(ranked: Sequence[Mapping[str, Any]]) -> str:
    shares = [layer["share"] for layer in ranked]
    if None in shares:
        return (
            "These layers add most noise to what they read; variants.accuracy_budget measures what "
            "each does to the outputs, and leaves the worst in float32."
        )
    half, total = 0, 0.0
    while total < 0.5 and half < len(shares):
        total += shares[half]
        half += 1
    verb = "makes" if half == 1 else "make"
    return f"{half} of its {len(shares)} layers {verb} {total:.0%} of the noise at the outputs."
