"""Stage: all reports of a run → one comparison, for programs and as a page for people."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from mmdet2tflite.artifacts import Artifact, Comparison, Dataset
from mmdet2tflite.config.base import ConfigSection
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.data.files import split_paths
from mmdet2tflite.evaluate.analysis import read_analysis, what_goes_wrong
from mmdet2tflite.evaluate.image_score import choose, score_all
from mmdet2tflite.evaluate.results import Evaluated, are_oriented
from mmdet2tflite.evaluate.truth import Truth
from mmdet2tflite.files.digest import file_sha256
from mmdet2tflite.report.losses import describe_budgets, find_losses
from mmdet2tflite.report.magnitudes import describe_magnitudes
from mmdet2tflite.report.outcome import Outcome
from mmdet2tflite.report.page import MISTAKES, OUTLINE, STYLE, TEMPLATE, Shown, render
from mmdet2tflite.report.pareto import PLOT, save_plots
from mmdet2tflite.report.precisions import accuracy_budget, find_costs
from mmdet2tflite.report.rows import (
    make_padding,
    make_rows,
    read_layers,
    read_magnitudes,
    read_operators,
)
from mmdet2tflite.report.stored import STAGE
from mmdet2tflite.report.summary import TOLERATED_LOSS, summarise
from mmdet2tflite.report.times import find_times
from mmdet2tflite.safe_text import without_password
from mmdet2tflite.stage import Job, Stage

NUMBERS, PAGE = (Comparison.model_fields[name].default for name in ("numbers", "page"))
PARTS = ("model", "report", "rewritten")


class CompareConfig(ConfigSection):
    """Which models, in which order, and the complete experiment but for where things lie."""

    experiment: dict[str, Any]
    outcomes: tuple[dict[str, Any], ...]
    """Each an ``Outcome`` without its artefacts, which are inputs: ``report 0``, ``model 0`` …"""


def compare_config(experiment: Experiment, outcomes: Sequence[Outcome]) -> CompareConfig:
    """The stage's config of a run."""
    return CompareConfig(
        experiment=experiment.model_dump(mode="json", exclude={"store", "tracking"}),
        outcomes=tuple(o.model_dump(mode="json", exclude=set(PARTS)) for o in outcomes),
    )


def compare_inputs(dataset: Dataset, outcomes: Sequence[Outcome]) -> dict[str, Artifact | None]:
    """The stage's inputs of a run."""
    parts = {
        f"{part} {number}": getattr(outcome, part)
        for number, outcome in enumerate(outcomes)
        for part in PARTS
    }
    return {"dataset": dataset, **parts}


def compare(
    job: Job, config: CompareConfig, *, dataset: Dataset, **parts: Artifact | None
) -> Comparison:
    """Collect all numbers, choose the pictures, write ``comparison.json`` and ``report.html``.

    ``accuracy.png`` is left beside them if a model has a mAP.

    Args:
        parts: of ``compare_inputs``. The first outcome is the model that all others are made of,
            and has a report.

    Raises:
        DataError: an image of the gallery is gone.
    """
    outcomes = [
        Outcome.model_validate({**fields, **{p: parts[f"{p} {number}"] for p in PARTS}})
        for number, fields in enumerate(config.outcomes)
    ]
    rows = make_rows(job.store, outcomes)
    shown = _shown(job, dataset, outcomes)
    budget = accuracy_budget(config.experiment)
    comparison = {
        "experiment": config.experiment["name"],
        "summary": summarise(rows),
        "tolerated_loss": TOLERATED_LOSS,
        "dataset": {
            "images": rows[0]["images"],
            "boxes": sum(map(len, list(shown.truth.boxes.values())[: rows[0]["images"]])),
            "classes": list(dataset.classes),
            "digest": dataset.digest,
        },
        "measured": _measured(job, outcomes),
        "machine": {name: rows[0]["machine"][name] for name in ("cpu", "cores")},
        "rows": rows,
        "padding": make_padding(job.store, outcomes),
        "budget": budget,
        "precisions": find_costs(rows, budget),
        "losses": find_losses(rows, read_layers(job.store, outcomes)),
        "budgets": describe_budgets(rows),
        "slow": find_times(rows, read_operators(job.store, outcomes)),
        "magnitudes": describe_magnitudes(read_magnitudes(job.store, outcomes)),
        "mistakes": {name: what_goes_wrong(found) for name, found in shown.analyses.items()},
        "gallery": _numbers(shown),
    }
    text = json.dumps(comparison, indent=1, allow_nan=False)
    (job.work / NUMBERS).write_text(text, encoding="utf-8")
    save_plots(rows, budget, job.work / PLOT)
    settings = yaml.safe_dump(config.experiment, sort_keys=False, allow_unicode=True)
    page = render(comparison, shown, without_password(settings))
    (job.work / PAGE).write_text(page, encoding="utf-8")
    return Comparison(
        experiment=config.experiment["name"],
        summary=str(comparison["summary"]),
        failed=tuple(outcome.variant for outcome in outcomes if outcome.failure),
    )


def _shown(job: Job, dataset: Dataset, outcomes: Sequence[Outcome]) -> Shown:
    analyses = {
        outcome.variant: analysis
        for outcome in outcomes
        if outcome.report and (analysis := read_analysis(job.store, outcome.report))
    }
    found = {
        o.variant: Evaluated.load(job.store.path(o.report)).detections
        for o in outcomes
        if o.report and o.variant in analyses
    }
    oriented = any(map(are_oriented, found.values()))
    truth = Truth.load(*split_paths(job.store, dataset, "val"), oriented=oriented)
    scores = {variant: score_all(truth, detections) for variant, detections in found.items()}
    reference = next(iter(scores.values()), {})
    chosen = {variant: choose(reference, found) for variant, found in scores.items()}
    return Shown(dataset.classes, truth, scores, chosen, analyses)


def _numbers(shown: Shown) -> Mapping[str, Any]:
    """Which images were chosen, and how this model and the first one do on them."""
    reference = next(iter(shown.scores.values()), {})
    return {
        variant: {
            choice: {
                "image": image_id,
                "file": shown.truth.files[image_id].name,
                **shown.scores[variant][image_id].numbers(),
                "reference": reference[image_id].numbers(),
            }
            for choice, image_id in chosen.items()
        }
        for variant, chosen in shown.chosen.items()
    }


def _measured(job: Job, outcomes: Sequence[Outcome]) -> str:
    """Day of the newest report."""
    created = [job.store.manifest(o.report)["created"] for o in outcomes if o.report]
    return str(max(created))[:10]


def _template(config: CompareConfig) -> list[str]:
    return [file_sha256(path) for path in (TEMPLATE, STYLE, MISTAKES, OUTLINE)]


COMPARE: Stage[Comparison] = Stage(
    name=STAGE,
    run=compare,
    tools=("jinja2", "matplotlib", "numpy", "opencv-python"),
    outside=_template,
)
