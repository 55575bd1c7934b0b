"""Makes room in the artefact store."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.report.terminal import console
from mmdet2tflite.safe_text import plain, without_password
from mmdet2tflite.store.cleaning import unneeded
from mmdet2tflite.store.store import Store
from tasks.tracking.used import used_artefacts

MEGABYTE = 1e6
LONGEST_UPLOAD = timedelta(days=1)
"""What has no manifest on a store that machines share may be an upload until then."""


@flow(name="clean-store")
def clean_store(
    experiment_file: str,
    overrides: Sequence[str] = (),
    older_than_days: int = 30,
    dry_run: bool = True,
) -> str:
    """Remove artefacts that neither a recent run nor a champion refers to.

    What a kept artefact was made of is kept with it. What is no artefact (any more) goes, too.
    Looks at all experiments of the tracking that the experiment names.

    Args:
        experiment_file: an experiment whose `store` and `tracking` are meant.
        overrides: ``dotted.key=value`` settings that replace those of the file.
        older_than_days: runs and artefacts of the last so many days stay.
        dry_run: only say what would be removed.

    Returns:
        What was, or would be, removed.

    Raises:
        ConfigError: the number of days is negative.
        RegistryError: MLflow knows of no run: not the tracking that goes with this store.
        ServiceError: MLFLOW_TRACKING_URI names a server that does not answer.
    """
    if older_than_days < 0:
        raise ConfigError(f"older_than_days is {older_than_days}", "0 or more")
    experiment = load_experiment(Path(experiment_file), overrides)
    store = Store(experiment.store)
    since = datetime.now(UTC) - timedelta(days=older_than_days)
    found = unneeded(store, used_artefacts(experiment.tracking, since), since)
    leftovers = store.leftovers(min(since, datetime.now(UTC) - LONGEST_UPLOAD))
    if not dry_run:
        for each in found:
            store.remove(each.artifact)
        for leftover in leftovers:
            store.remove_leftover(leftover)
    size = (sum(e.size for e in found) + sum(e.size for e in leftovers)) / MEGABYTE
    word = "would remove" if dry_run else "removed"
    and_more = f" and {len(leftovers)} leftovers" if leftovers else ""
    root = without_password(store.root)
    sentence = f"{word} {len(found)} artefacts{and_more}, {size:.1f} MB, from {root}"
    rows = [
        f"| {plain(f'{each.artifact.stage}/{each.artifact.key}')} | {each.size / MEGABYTE:.1f} "
        f"| {each.created:%Y-%m-%d} |"
        for each in found
    ]
    rows += [
        f"| {plain(each.folder)} (leftover) | {each.size / MEGABYTE:.1f} "
        f"| {each.changed:%Y-%m-%d} |"
        for each in leftovers
    ]
    table = ["| artefact | MB | made |", "| --- | --: | --- |", *rows]
    create_markdown_artifact("\n".join([plain(sentence), "", *table]), key="clean-store")
    console.print(sentence, soft_wrap=True, markup=False)
    return sentence
