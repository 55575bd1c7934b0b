"""Finds and reads comparisons in the store."""

import json
from typing import Any

from mmdet2tflite.artifacts import Comparison
from mmdet2tflite.errors import StoreError
from mmdet2tflite.store import Store

STAGE = "comparison"


def read_comparison(store: Store, comparison: Comparison) -> dict[str, Any]:
    """What its ``comparison.json`` holds."""
    text = store.path(comparison, comparison.numbers).read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values


def last_comparison(store: Store, experiment: str) -> Comparison:
    """The newest comparison of an experiment.

    Raises:
        StoreError: there is none.
    """
    names = set()
    for found in store.newest_first(STAGE):
        if isinstance(found, Comparison):
            if found.experiment == experiment:
                return found
            names.add(found.experiment)
    there = f"; there are some of {', '.join(sorted(names))}" if names else ""
    raise StoreError(
        f"no comparison of the experiment {experiment!r} in {store.root}{there}",
        "a finished run",
        "run `mmdet2tflite run EXPERIMENT`, or name the store of that run with --store",
    )
