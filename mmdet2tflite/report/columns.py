"""The columns of every table that compares models, in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Column:
    """One metric in the tables.

    Args:
        heading: over the column.
        metric: its name in ``comparison.json`` and in MLflow.
        form: format of the number.
        better: which values are better; "" where that is no question.
        meaning: for people who hover.
        importance: 1 for the last that a narrow terminal goes without; None for a column that no
            terminal shows.
    """

    heading: str
    metric: str
    form: str
    better: Literal["higher", "lower", ""]
    meaning: str
    importance: int | None = None


COLUMNS: tuple[Column, ...] = (
    Column("mAP", "map", ".4f", "higher", "COCO average precision, mean over IoU 0.50 to 0.95", 1),
    Column("Δ mAP", "map_change", "+.4f", "higher", "mAP less that of the first model"),
    Column("loss", "map_loss", "+.4f", "lower", "mAP below that of its float32 file"),
    Column("mAP50", "map_50", ".4f", "higher", "COCO average precision at IoU 0.50", 5),
    Column(
        "error",
        "parity.relative",
        ".0e",
        "lower",
        "largest difference from the model that it is compared with, as a fraction of the "
        "output's range",
        6,
    ),
    Column("SNR dB", "parity.snr_db", ".0f", "higher", "signal to noise of the worst output"),
    Column(
        "lost",
        "parity.lost",
        ".0f",
        "lower",
        "detections over a score of 0.3 that only the model it is compared with has",
        7,
    ),
    Column(
        "new", "parity.new", ".0f", "lower", "detections over a score of 0.3 that only it has", 8
    ),
    Column("MB", "size_mb", ".2f", "lower", "size of the file, 10⁶ bytes", 4),
    Column("ops", "ops", ".0f", "lower", "operators in the file"),
    Column("PAD", "pads", ".0f", "lower", "padding operators in the file", 3),
    Column("TRANSPOSE", "transposes", ".0f", "lower", "transpose operators in the file"),
    Column(
        "ms",
        "latency_ms",
        ".2f",
        "lower",
        "median of one inference on one thread, without pre- and post-processing; TFLite files "
        "with XNNPACK",
        2,
    ),
    Column(
        "ms builtin",
        "latency_ms.builtin.1",
        ".2f",
        "lower",
        "the same with TFLite's builtin kernels",
        9,
    ),
)
IN_TERMINAL = tuple(column for column in COLUMNS if column.importance is not None)
INDISPENSABLE = 3
"""The importance down to which a table without a column is no use."""


def less_important(columns: Sequence[Column]) -> Column | None:
    """The column to leave out first; None if every one is indispensable."""
    ranked = sorted(columns, key=lambda column: column.importance or 0)
    return ranked[-1] if ranked and (ranked[-1].importance or 0) > INDISPENSABLE else None


def cell(metrics: Mapping[str, Any], column: Column) -> str:
    """A metric as it is shown; a dash for what was not measured."""
    value = metrics.get(column.metric)
    return "–" if value is None else format(value, column.form)
