"""Tells MLflow what the manifests say: one parent run per flow run, a child per model.

Nobody else imports mlflow, but for ``pyfunc`` and ``registry``. Nothing is measured here, so a run
whose stages were all cached is as complete as the first one.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import mlflow
import yaml
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from mmdet2tflite.artifacts import (
    Artifact,
    Checkpoint,
    Comparison,
    Dataset,
    KerasModel,
    OpenvinoModel,
    TfliteModel,
)
from mmdet2tflite.backends.magnitude_table import MAGNITUDES
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.data.files import image_files
from mmdet2tflite.detector.train import read_curves
from mmdet2tflite.evaluate.analysis import ANALYSIS
from mmdet2tflite.evaluate.evaluate import MISTAKES, PICTURE, SHEET
from mmdet2tflite.evaluate.request import REPORT
from mmdet2tflite.evaluate.results import DETECTIONS
from mmdet2tflite.quantize.layer_table import LAYERS
from mmdet2tflite.report.markdown import markdown, quoted
from mmdet2tflite.report.outcome import Outcome
from mmdet2tflite.report.pareto import PLOT
from mmdet2tflite.report.rows import uniform_metrics
from mmdet2tflite.report.stored import read_comparison
from mmdet2tflite.safe_text import without_password
from mmdet2tflite.store.manifest import LOGS, MANIFEST
from mmdet2tflite.store.store import Store
from tasks.processes import is_gone, this_process
from tasks.tracking.publishing import publish, warn
from tasks.tracking.pyfunc import log_detector
from tasks.tracking.tracking_place import usable, use_tracking

FILES = "artifacts"
METRICS_PER_CALL = 1000  # MLflow's limit for log_batch
PROCESS, PARENT = "process", "mlflow.parentRunId"
ORIGIN = "artefact."
"""Begins the tags with stage and key of what a run is about."""
MANIFESTS = "manifests"
"""Folder of a run's files with the manifests of these artefacts, by stage."""
TAG_LENGTH = 5000  # MLflow's own limit is 8000
DESCRIPTION = "mlflow.note.content"  # Markdown at the top of a run's page


type Trackable = Dataset | Checkpoint | Outcome | Comparison
"""What has a place in MLflow; everything else belongs to an outcome."""


class Tracker:
    """Logs what a run makes as it comes: call it with each. Use ``tracked_run``."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment, self._store = experiment, Store(experiment.store)

    def __call__(self, made: Trackable) -> None:
        """Log it, and show people what they should see of it."""
        match made:
            case Dataset():
                self._dataset(made)
                warn(self._store, made)
            case Checkpoint():
                self._checkpoint(made)
            case Outcome(failure=""):
                self._measured(made)
            case Outcome():
                self._failed(made)
            case Comparison():
                self._comparison(made)
                publish(self._store, made)

    def _dataset(self, dataset: Dataset) -> None:
        """Numbers of images and boxes on the parent run."""
        mlflow.log_metrics(dataset.metrics)
        mlflow.log_param("classes", ", ".join(dataset.classes)[:250])
        self._picture = image_files(self._store, dataset, "val")[0]
        self._origin(dataset)

    def _checkpoint(self, checkpoint: Checkpoint) -> None:
        """The child ``training``: settings, curves, weights, the complete mmdet config, the log."""
        with self._child("training", {"stage": "training"}):
            mlflow.log_params(_short(self._experiment.training.model_dump(mode="json")))
            mlflow.log_metrics({**_of_training(checkpoint), "best_epoch": checkpoint.epoch})
            self._curves(checkpoint)
            for name in (checkpoint.weights, checkpoint.config, f"{LOGS}/train.log"):
                self._file(checkpoint, name)
            self._origin(checkpoint)

    def _measured(self, outcome: Outcome) -> None:
        """A child with everything known of one model."""
        model, report = outcome.model, outcome.report
        assert model is not None
        assert report is not None
        tags = {**outcome.tags, "runtime": report.runtime}
        with self._child(outcome.variant, {"stage": "variant", **tags}):
            mlflow.log_params(_axes(tags))
            logged = None
            if isinstance(model, TfliteModel) and model.head.family:
                path = self._store.path(model, model.file)
                logged = log_detector(path, model, self._picture, _axes(tags))
            mlflow.log_metrics(uniform_metrics(outcome), model_id=logged)
            if not isinstance(model, Checkpoint):  # its weights are in the child `training`
                self._file(model, model.file)
            if isinstance(model, OpenvinoModel):
                self._file(model, model.weights)
            if isinstance(model, KerasModel):
                self._file(model, model.passport)
            self._files(model, LAYERS)
            files = (REPORT, DETECTIONS, PICTURE, ANALYSIS, MISTAKES, SHEET, MAGNITUDES)
            self._files(report, *files)
            if outcome.rewritten:
                self._file(outcome.rewritten, outcome.rewritten.plan)
                self._origin(outcome.rewritten)
            self._origin(model)
            self._origin(report)

    def _failed(self, outcome: Outcome) -> None:
        """A child with the reason."""
        tags = {"stage": "variant", **outcome.tags, **_reason(outcome.failure)}
        mlflow.start_run(run_name=outcome.variant, nested=True, tags=tags)
        try:
            mlflow.log_params(_axes(tags))
            if outcome.rewritten:
                self._file(outcome.rewritten, outcome.rewritten.plan)
                self._origin(outcome.rewritten)
        finally:
            mlflow.end_run("FAILED")

    def _comparison(self, comparison: Comparison) -> None:
        """The page, the plot and the numbers on the parent run, whose description they become."""
        for name in (comparison.page, comparison.numbers):
            self._file(comparison, name)
        self._files(comparison, PLOT)
        text = markdown(read_comparison(self._store, comparison))
        mlflow.set_tag(DESCRIPTION, text[:TAG_LENGTH])
        self._origin(comparison)

    @contextmanager
    def _child(self, name: str, tags: Mapping[str, str]) -> Iterator[None]:
        with mlflow.start_run(run_name=name, nested=True, tags=dict(tags)):
            yield

    def _curves(self, checkpoint: Checkpoint) -> None:
        now = int(time.time() * 1000)
        points = [
            Metric(_curve(name), float(value), timestamp=now, step=int(line["epoch"]))
            for line in read_curves(self._store, checkpoint)
            for name, value in line.items()
            if name not in ("epoch", "iteration")
        ]
        run = mlflow.active_run()
        assert run is not None
        for start in range(0, len(points), METRICS_PER_CALL):
            mlflow.MlflowClient().log_batch(
                run.info.run_id, metrics=points[start : start + METRICS_PER_CALL]
            )

    def _files(self, artifact: Artifact, *names: str) -> None:
        """Those of the files that this artefact has."""
        for name in names:
            if (self._store.path(artifact) / name).exists():
                self._file(artifact, name)

    def _file(self, artifact: Artifact, name: str) -> None:
        mlflow.log_artifact(str(self._store.path(artifact, name)))

    def _origin(self, artifact: Artifact) -> None:
        mlflow.set_tag(f"{ORIGIN}{artifact.stage}", f"{artifact.stage}/{artifact.key}")
        path = self._store.path(artifact, MANIFEST)
        mlflow.log_artifact(str(path), artifact_path=f"{MANIFESTS}/{artifact.stage}")


@contextmanager
def tracked_run(experiment: Experiment) -> Iterator[Tracker]:
    """Open the parent run; it ends as FAILED with the reason if an exception passes through."""
    _connect(experiment)
    close_abandoned(experiment.name)
    tags = {PROCESS: this_process()}
    with usable(experiment.tracking), mlflow.start_run(run_name=experiment.name, tags=tags):
        values = experiment.model_dump(mode="json")
        text = without_password(yaml.safe_dump(values, sort_keys=False))
        mlflow.log_text(text, "experiment.yaml")
        mlflow.log_params(
            {
                "detector": experiment.detector.config.stem,
                "input_size": "x".join(str(side) for side in experiment.detector.input_size),
                "epochs": experiment.training.epochs,
                "dataset": experiment.dataset.kind,
            }
        )
        try:
            yield Tracker(experiment)
        except BaseException as error:
            reason = without_password(f"{type(error).__name__}: {error}")
            with suppress(MlflowException, SQLAlchemyError):  # or nobody would hear of `error`
                mlflow.set_tag("failed", reason[:TAG_LENGTH])
            raise


def close_abandoned(experiment_name: str) -> list[str]:
    """End the runs whose process was killed as KILLED, and their children; returns their ids.

    Nobody else would: they are RUNNING for ever. Those of other machines are left alone.
    """
    running = mlflow.search_runs(
        experiment_names=[experiment_name],
        filter_string="attributes.status = 'RUNNING'",
        output_format="list",
    )
    parents = {run.info.run_id for run in running if is_gone(run.data.tags.get(PROCESS, ""))}
    dead = [
        run.info.run_id for run in running if parents & {run.info.run_id, run.data.tags.get(PARENT)}
    ]
    client = mlflow.MlflowClient()
    for run_id in dead:
        client.set_tag(run_id, "failed", "its process was killed; the next run goes on from there")
        client.set_terminated(run_id, "KILLED")
    return dead


def _connect(experiment: Experiment) -> None:
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # its news of database migrations
    # That models want an OpenCV for servers and not the one that is here, once for each of them.
    logging.getLogger("mlflow.utils.requirements_utils").setLevel(logging.ERROR)
    name, folder = experiment.name, experiment.tracking.absolute()
    if not use_tracking(folder) and mlflow.get_experiment_by_name(name) is None:
        try:
            mlflow.create_experiment(name, artifact_location=(folder / FILES / name).as_uri())
        except MlflowException:  # another run was quicker
            if mlflow.get_experiment_by_name(name) is None:
                raise
    mlflow.set_experiment(name)


def _of_training(checkpoint: Checkpoint) -> dict[str, float]:
    """``start.map`` is that of the weights that a training began with."""
    return {
        name if name.startswith("start.") else f"best.{name}": value
        for name, value in checkpoint.metrics.items()
    }


def _axes(tags: Mapping[str, str]) -> dict[str, str]:
    """What a variant is chosen by. MLflow's chart starts with the first three parameters."""
    return {axis: tags.get(axis, "none") for axis in ("strategy", "converter", "precision")}


def _curve(name: str) -> str:
    """``map`` alone is that of a finished model, as its report has it."""
    return f"val.{name}" if name.startswith("map") else name


def _reason(text: str) -> dict[str, str]:
    """Tags that tell why a run failed, one of them shown at the top of its page."""
    text = without_password(text)[: TAG_LENGTH // 2]
    return {"failed": text, DESCRIPTION: quoted(text)}


def _short(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"augmentation": {"flip": 0}}`` → ``{"augmentation.flip": 0}``"""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _short(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
