"""``comparison.json``: one row per model with uniform metric names, whatever it runs in."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet2tflite.artifacts import Artifact, RewrittenModel, TfliteModel
from mmdet2tflite.backends.magnitude_table import MAGNITUDES
from mmdet2tflite.backends.table import BACKENDS
from mmdet2tflite.evaluate.request import OPERATORS, REPORT
from mmdet2tflite.quantize.layer_table import LAYERS
from mmdet2tflite.quantize.precisions import is_calibrated
from mmdet2tflite.report.outcome import Outcome
from mmdet2tflite.store.store import Store

type Row = dict[str, Any]

PLAIN = ("SAME", "VALID")
"""Padding modes that nobody has to do anything about."""


def uniform_metrics(outcome: Outcome) -> dict[str, float]:
    """Everything measured of a model, by names that are the same for all models.

    1. The metrics of the model's own artefact and of its report.
    2. ``latency_ms``: ``latency_ms.<engine>.1`` of the engine that its runtime is evaluated with.
    3. ``extra_multiplications`` of its padding strategy.
    """
    assert outcome.model is not None
    assert outcome.report is not None
    metrics = {**outcome.model.metrics, **outcome.report.metrics}
    latency = f"latency_ms.{BACKENDS[outcome.model.kind].kernel_sets[0]}.1"
    if latency in metrics:
        metrics["latency_ms"] = metrics[latency]
    if outcome.rewritten:
        name = "extra_multiplications"
        metrics[name] = outcome.rewritten.metrics[name]
    return metrics


def make_rows(store: Store, outcomes: Sequence[Outcome]) -> list[Row]:
    """One row per outcome, in their order; ``map_change`` is against the first."""
    variants = {outcome.report.digest: outcome.variant for outcome in outcomes if outcome.report}
    rows = [_row(store, outcome, variants) for outcome in outcomes]
    reference = rows[0]["metrics"].get("map")
    for row in rows:
        if "map" in row["metrics"] and reference is not None:
            row["metrics"]["map_change"] = row["metrics"]["map"] - reference
    return rows


def _row(store: Store, outcome: Outcome, variants: Mapping[str, str]) -> Row:
    row: Row = {
        "variant": outcome.variant,
        **outcome.tags,
        "exact": outcome.tags.get("exact") != "false",
        "kind": outcome.model.kind if outcome.model else "",
        "failure": outcome.failure,
        "metrics": {},
        "artefacts": _origins(store, outcome),
    }
    if outcome.model is None or outcome.report is None:
        return row
    details = json.loads(store.path(outcome.report, REPORT).read_text(encoding="utf-8"))
    parity = details.get("parity", {})
    return {
        **row,
        "runtime": outcome.report.runtime,
        "compared_with": variants.get(outcome.report.compared_with, ""),
        "metrics": uniform_metrics(outcome),
        "images": details["images"],
        "average_precision": details["average_precision"],
        "tensors": parity.get("tensors", {}),
        "loss": details.get("loss"),
        "ops": details.get("ops", {}),
        "machine": details["machine"],
    }


def _origins(store: Store, outcome: Outcome) -> dict[str, Any]:
    parts: tuple[Artifact | None, ...] = (outcome.rewritten, outcome.model, outcome.report)
    return {
        part.stage: {
            "folder": f"{part.stage}/{part.key}",
            "digest": part.digest,
            "tools": store.manifest(part)["origin"]["tools"],
        }
        for part in parts
        if part is not None
    }


def read_layers(store: Store, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What ``layers.json`` holds of every file that has one, by variant."""
    files = {
        outcome.variant: store.path(outcome.model, LAYERS)
        for outcome in outcomes
        if isinstance(outcome.model, TfliteModel) and is_calibrated(outcome.model.precision)
    }
    return {
        variant: json.loads(file.read_text(encoding="utf-8"))
        for variant, file in files.items()
        if file.exists()  # not of a tuned file
    }


def read_operators(store: Store, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What ``operators.json`` holds of every TFLite file that was measured, by variant."""
    return {
        outcome.variant: json.loads(store.path(outcome.report, OPERATORS).read_text("utf-8"))
        for outcome in outcomes
        if outcome.report and isinstance(outcome.model, TfliteModel)
    }


def read_magnitudes(store: Store, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What ``magnitudes.json`` holds of every float TFLite file that was measured, by variant."""
    return {
        outcome.variant: json.loads(store.path(outcome.report, MAGNITUDES).read_text("utf-8"))
        for outcome in outcomes
        if outcome.report
        and isinstance(outcome.model, TfliteModel)
        and not is_calibrated(outcome.model.precision)
    }


def make_padding(store: Store, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The padding plan: window operators that some strategy has to do something about.

    Returns:
        ``strategies``: by name ``sites`` (how many are not SAME or VALID), ``pads``, ``reasons``
        and ``reversals``. ``sites``: these operators, with the geometry before a rotation, and the
        padding modes (``treatments``) by strategy. ``total``: number of all window operators.
    """
    plans = {
        outcome.rewritten.strategy: json.loads(
            store.path(outcome.rewritten, outcome.rewritten.plan).read_text(encoding="utf-8")
        )
        for outcome in outcomes
        if outcome.rewritten
    }
    rewritten = {o.rewritten.strategy: o.rewritten for o in outcomes if o.rewritten}
    special: dict[str, dict[str, Any]] = {}
    for plan in plans.values():
        for window in plan["convolutions"]:
            if window["treatment"] not in PLAIN:
                special.setdefault(window["name"], _geometry(window))
    for strategy, plan in plans.items():
        for window in plan["convolutions"]:
            if window["name"] in special:
                special[window["name"]]["treatments"][strategy] = {
                    "treatment": window["treatment"],
                    "reason": window.get("reason", ""),
                }
    return {
        "strategies": {name: _strategy(plan, rewritten[name]) for name, plan in plans.items()},
        "sites": list(special.values()),
        "total": max((len(plan["convolutions"]) for plan in plans.values()), default=0),
    }


def _geometry(window: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "operator", "input", "output", "kernel", "stride", "pads", "effective_pads")
    return {**{name: window[name] for name in names}, "treatments": {}}


def _strategy(plan: Mapping[str, Any], rewritten: RewrittenModel) -> dict[str, Any]:
    return {
        "sites": sum(window["treatment"] not in PLAIN for window in plan["convolutions"]),
        "pads": rewritten.pads,
        "extra_multiplications": rewritten.metrics["extra_multiplications"],
        "reasons": plan["reasons"],
        "reversals": plan["reversals"],
    }
