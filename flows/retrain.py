"""Retraining: new data become a candidate, which takes the champion's place if it is not worse."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from flows.detector_to_tflite import detector_to_tflite
from mmdet2tflite.artifacts import Artifact, Checkpoint, Dataset, Report, TfliteModel
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.data.prepare import newest_change
from mmdet2tflite.errors import RegistryError, StoreError
from mmdet2tflite.evaluate.promotion import (
    Decision,
    check_possible,
    choose,
    decide_first,
    refuse_classes,
)
from mmdet2tflite.report.outcome import Outcome
from mmdet2tflite.report.stored import read_comparison
from mmdet2tflite.report.terminal import console
from mmdet2tflite.safe_text import plain
from mmdet2tflite.store.store import Store
from tasks.config_to_dataset import config_to_dataset
from tasks.model_to_report import model_to_report
from tasks.reports_to_decision import reports_to_decision
from tasks.tracking.registry import CHALLENGER, CHAMPION, DATASET, Registry
from tasks.tracking.runs import ORIGIN
from tasks.tracking.version import Version


@flow(name="retrain")
def retrain(
    experiment_file: str,
    overrides: Sequence[str] = (),
    from_champion: bool = False,
    even_if_unchanged: bool = False,
    still_for_minutes: int = 0,
) -> str:
    """Train on the data as they are now, and promote the result if it is not worse.

    Nothing happens if the champion or the last challenger was trained on the same data, or while
    somebody is still copying files into the data set.

    Args:
        experiment_file: a YAML file such as configs/experiments/digits.yaml.
        overrides: ``dotted.key=value`` settings that replace those of the file.
        from_champion: start from the champion's weights, and not from `training.checkpoint`.
        even_if_unchanged: train also where the data are the same, because settings changed.
        still_for_minutes: leave data alone that changed within so many minutes.

    Returns:
        What was decided, with the reason.

    Raises:
        UserError: data, training or conversion went wrong: the champion stays.
        Incomplete: some variants went wrong: the champion stays.
    """
    experiment = load_experiment(Path(experiment_file), overrides)
    check_possible(experiment.variants, experiment.promotion)
    if changing := _is_changing(experiment, still_for_minutes):
        return _publish(experiment, changing)
    registry = Registry(experiment.name, experiment.tracking)
    champion = registry.find(CHAMPION)
    in_use = _artefact(experiment, champion, TfliteModel) if champion else None
    dataset = config_to_dataset(experiment)
    same = _trained_on(registry, dataset)
    if same and not even_if_unchanged:
        return _publish(
            experiment, f"nothing to do: version {same.number} was trained on the same data"
        )
    settings = list(overrides)
    if from_champion and champion:
        settings.append(f"training.checkpoint={_weights(experiment, champion)}")
    comparison = read_comparison(
        Store(experiment.store), detector_to_tflite(experiment_file, settings)
    )
    row = choose(comparison["rows"], experiment.promotion)
    if in_use and any(part["digest"] == in_use.digest for part in row["artefacts"].values()):
        return _publish(experiment, f"nothing to do: {row['variant']} is the champion's very file")
    decision = _decide(experiment, dataset, row, in_use)
    run = registry.run_of(row)
    candidate = registry.add(run, _tags(comparison, row, dataset, decision), decision.markdown())
    sentence = _carry_out(registry, decision, candidate, champion)
    return _publish(experiment, f"version {candidate.number} {sentence}", decision.markdown())


def _is_changing(experiment: Experiment, still_for_minutes: int) -> str:
    """Why to wait; empty if there is no reason."""
    newest = newest_change(experiment.dataset)
    still = timedelta(minutes=still_for_minutes)
    # No wait asked for: a file of tomorrow, by another machine's clock, is no reason either.
    if not still or newest is None or (age := datetime.now(UTC) - newest) >= still:
        return ""
    minutes = age / timedelta(minutes=1)
    return (
        f"nothing to do: the data changed {minutes:.1f} minutes ago; "
        f"trained when they have been still for {still_for_minutes}"
    )


def _trained_on(registry: Registry, dataset: Dataset) -> Version | None:
    """The champion or the challenger, if it has seen these data."""
    versions = (registry.find(alias) for alias in (CHAMPION, CHALLENGER))
    return next((v for v in versions if v and v.tags.get(DATASET) == dataset.digest), None)


def _decide(
    experiment: Experiment, dataset: Dataset, row: Mapping[str, Any], in_use: TfliteModel | None
) -> Decision:
    """The champion is measured now, on the same images as the candidate."""
    if in_use is None:
        return decide_first(experiment.promotion, row)
    if in_use.head.classes != dataset.classes:
        return refuse_classes(row, in_use.head.classes, dataset.classes)
    stage, key = row["artefacts"]["report"]["folder"].split("/")
    candidate = Store(experiment.store).find(stage, key)
    if not isinstance(candidate, Report):
        raise StoreError(f"{stage}/{key} is gone", "the candidate's report", "run again")
    report = model_to_report(experiment, in_use, dataset)
    champion = Outcome.measured(in_use, report)
    return reports_to_decision(experiment, dataset, champion, candidate, row)


def _carry_out(
    registry: Registry, decision: Decision, candidate: Version, champion: Version | None
) -> str:
    """Promote if that was decided; what became of it is told wherever somebody may look."""
    sentence = decision.sentence
    if decision.promoted:
        try:
            registry.promote(candidate, replacing=champion)
        except RegistryError as error:  # somebody else was quicker
            sentence = f"refused: {decision.variant}; {error.found}"
    registry.decided(candidate, sentence)
    announce_decision(candidate, sentence)
    return sentence


def announce_decision(candidate: Version, sentence: str) -> None:
    """The event that configs/automations/promotion-decided.yaml waits for."""
    emit_event(
        "mmdet2tflite.promotion.decided",
        resource={
            "prefect.resource.id": f"mmdet2tflite.model.{candidate.model}",
            "prefect.resource.name": candidate.model,
        },
        payload={
            "version": candidate.number,
            "promoted": sentence.startswith("promoted"),
            "decision": sentence,
        },
    )


def _tags(
    comparison: Mapping[str, Any], row: Mapping[str, Any], dataset: Dataset, decision: Decision
) -> dict[str, str]:
    """Of the version: what it is, what it was made of, and the decision's numbers."""
    pytorch = comparison["rows"][0]["artefacts"]
    made_of = {stage: part["folder"] for stage, part in {**pytorch, **row["artefacts"]}.items()}
    return {
        DATASET: dataset.digest,
        **{axis: row[axis] for axis in ("variant", "strategy", "converter", "precision")},
        **{f"{ORIGIN}{stage}": folder for stage, folder in made_of.items()},
        **{f"decision.{name}": f"{value:.6g}" for name, value in decision.numbers.items()},
    }


def _weights(experiment: Experiment, champion: Version) -> Path:
    checkpoint = _artefact(experiment, champion, Checkpoint)
    return Store(experiment.store).path(checkpoint, checkpoint.weights).absolute()


def _artefact[T: Artifact](experiment: Experiment, version: Version, kind: type[T]) -> T:
    """What a version was made of. Raises StoreError if it is gone."""
    names = [tag.removeprefix(ORIGIN) for tag in version.tags if tag.startswith(ORIGIN)]
    store = Store(experiment.store)
    found = (store.find(*version.artefact(name)) for name in names)
    for artefact in found:
        if isinstance(artefact, kind):
            return artefact
    raise StoreError(
        f"the {kind.__name__} of {version.model} version {version.number} is not in {store.root}",
        "the store that the champion was made in",
        "name that store, or promote a new champion by hand: mmdet2tflite promote",
    )


def _publish(experiment: Experiment, sentence: str, details: str = "") -> str:
    """Tell it on the terminal, and as an artefact of the flow run."""
    key = re.sub("[^a-z0-9]+", "-", experiment.name.lower()).strip("-")
    create_markdown_artifact(f"{plain(sentence)}\n\n{details}".strip(), key=f"promotion-{key}")
    console.print(sentence, soft_wrap=True, markup=False)
    return sentence
