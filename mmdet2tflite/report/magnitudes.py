"""What is said of the largest magnitudes of float files: a GPU's float16 ends at 65,504."""

from collections.abc import Mapping
from typing import Any

from mmdet2tflite.backends.magnitude_table import describe_overflow, largest_tensors, written

SHOWN = 5
"""Tensors in a table."""


def describe_magnitudes(tables: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every float file.

    Args:
        tables: what ``magnitudes.json`` holds, by variant.

    Returns:
        By file ``variant``, ``limit``, ``samples``, ``overflow``: a sentence if a tensor exceeds
        the limit, else empty, ``sentence``: always one, and ``tensors``: the largest few.
    """
    found = []
    for variant, table in tables.items():
        shown = largest_tensors(table, SHOWN)
        if not shown:  # a file without reals
            continue
        overflow = describe_overflow(table)
        worst = shown[0]
        found.append(
            {
                "variant": variant,
                "limit": table["limit"],
                "samples": table["samples"],
                "overflow": f"{variant}: {overflow}." if overflow else "",
                "sentence": f"{variant}: at most {written(worst['largest'])}, in {worst['tensor']} "
                f"({worst['operator']})",
                "tensors": shown,
            }
        )
    return found
