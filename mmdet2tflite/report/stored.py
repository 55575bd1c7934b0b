"""Finds and reads comparisons in the store."""

import json
from typing import Any

from mmdet2tflite.artifacts import Comparison
from mmdet2tflite.errors import StoreError
from mmdet2tflite.store.store import Store

STAGE = "comparison"


def read_comparison(store: Store, comparison: Comparison) -> dict[str, Any]:
    """What its ``comparison.json`` holds."""
    text = store.path(comparison, comparison.numbers).read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values


def remember_comparison(store: Store, comparison: Comparison) -> None:
    """Make it its experiment's last one: a run may show what an earlier one made."""
    store.remember(comparison.experiment, comparison)


def last_comparison(store: Store, experiment: str) -> Comparison:
    """What the last run of an experiment showed.

    Raises:
        StoreError: there is none.
    """
    found = store.recall(experiment)
    if isinstance(found, Comparison):
        return found
    names = [name for name in store.remembered() if name != experiment]
    there = f"; there are some of {', '.join(names)}" if names else ""
    raise StoreError(
        f"no comparison of the experiment {experiment!r} in {store.root}{there}",
        "a finished run",
        "run `mmdet2tflite run EXPERIMENT`, or name the store of that run with --store",
    )
