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
        outputs, which ``int8_mixed`` measures; where there is none of the same strategy and
        converter, by the noise that their output has and their inputs do not. ``float32`` says
        that ``int8_mixed`` leaves them so.
    """
    found = []
    for row in measured(rows):
        reference = sibling(rows, row, "float32")
        if row["variant"] not in tables or reference is None:
            continue
        loss = reference["metrics"]["map"] - row["metrics"]["map"]
        if loss <= NOTABLE_LOSS:
            continue
        layers = _with_mixed(rows, row, tables)
        ranked = sorted(layers, key=_noise, reverse=True)
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


def describe_mixed(rows: Sequence[Row]) -> list[str]:
    """What each ``int8_mixed`` file gains and costs against ``int8``, in a sentence."""
    sentences = []
    for row in measured(rows):
        plain = sibling(rows, row, "int8")
        if row["precision"] != "int8_mixed" or plain is None:
            continue
        metrics = row["metrics"]
        real, total = (int(metrics[f"layers.{name}"]) for name in ("float32", "total"))
        changes = [f"{100 * (metrics['map'] - plain['metrics']['map']):+.1f} mAP points"]
        for metric, what in (("size_mb", "size"), ("latency_ms", "latency")):
            if metric in metrics and metric in plain["metrics"]:
                change = metrics[metric] / plain["metrics"][metric] - 1
                changes.append(f"{change:+.0%} {what}")
        sentences.append(
            f"{row['variant']} has {real} of its {total} layers in float32 and "
            f"{metrics['layers.noise_left']:.0%} of int8's noise: {', '.join(changes)}."
        )
    return sentences


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


def _with_mixed(
    rows: Sequence[Row], row: Row, tables: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The layers of a file, with what was found out for its mixed sibling."""
    mixed = sibling(rows, row, "int8_mixed")
    table = tables.get(mixed["variant"]) if mixed else None
    known = {
        entry["layer"]: {name: entry[name] for name in ("share", "float32")}
        for entry in (table["layers"] if table else ())
    }
    return [
        {**layer, **known.get(layer["layer"], {})} for layer in tables[row["variant"]]["layers"]
    ]


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
            "These layers add most noise to what they read; the precision int8_mixed measures what "
            "each does to the outputs, and leaves the worst in float32."
        )
    half, total = 0, 0.0
    while total < 0.5 and half < len(shares):
        total += shares[half]
        half += 1
    verb = "makes" if half == 1 else "make"
    return f"{half} of its {len(shares)} layers {verb} {total:.0%} of the noise at the outputs."
