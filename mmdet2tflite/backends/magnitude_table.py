"""``magnitudes.json``: the largest magnitude of each tensor of a float TFLite file.

``{"limit": 65504.0, "samples": N, "tensors": [...]}``, the tensors in the order of the operators,
each with

* ``tensor``: its name; ``shape``: as in the file (NHWC);
* ``operator``: that writes it, or the first that reads it if it is a constant;
* ``largest``: absolute value on N samples; infinity and NaN count as float32's largest number.

A GPU computes a float file in float16, as TFLite's GPU delegate does by default
(``precision_loss_allowed``): what exceeds 65,504 becomes infinity there, and whatever is made of it
is infinite or NaN.

Needs nothing but Python: the report reads it, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

MAGNITUDES = "magnitudes.json"
METRIC = "magnitude.largest"
FLOAT16_MAX = 65504.0
"""(2 - 2⁻¹⁰) · 2¹⁵ (IEEE 754, binary16)."""
READABLE = 1e9
"""Up to here all digits are written."""

type Table = Mapping[str, Any]


@dataclass(frozen=True)
class Magnitude:
    """One tensor; the fields are those of the file."""

    tensor: str
    operator: str
    shape: tuple[int, ...]
    largest: float


def magnitude_table(found: Sequence[Magnitude], samples: int) -> dict[str, Any]:
    """The content of the file."""
    tensors = [{**asdict(each), "shape": list(each.shape)} for each in found]
    return {"limit": FLOAT16_MAX, "samples": samples, "tensors": tensors}


def magnitude_metrics(table: Table) -> dict[str, float]:
    """The largest of all tensors; nothing of a file without reals."""
    worst = largest_tensors(table, 1)
    return {METRIC: worst[0]["largest"]} if worst else {}


def largest_tensors(table: Table, count: int) -> list[Mapping[str, Any]]:
    """The first so many, the largest first."""
    return sorted(table["tensors"], key=lambda each: -each["largest"])[:count]


def describe_overflow(table: Table) -> str:
    """Which tensor exceeds float16, and which operator writes it; nothing if none does."""
    above = sum(each["largest"] > table["limit"] for each in table["tensors"])
    if not above:
        return ""
    (worst,) = largest_tensors(table, 1)
    plural = "" if above == 2 else "s"
    others = f" (and {above - 1} other tensor{plural})" if above > 1 else ""
    return (
        f"{worst['tensor']} of {worst['operator']} reaches {written(worst['largest'])}{others}, "
        f"and float16 ends at {table['limit']:,.0f}: a GPU that computes in float16 makes it "
        "infinite"
    )


def written(magnitude: float) -> str:
    """A magnitude as people read it."""
    if magnitude > READABLE:
        return f"{magnitude:.1e}"
    return f"{magnitude:,.0f}" if magnitude >= 100 else f"{magnitude:.3g}"
