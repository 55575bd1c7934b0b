"""``mmdet2tflite val``: a file that is there already, measured as a run measures those it makes."""

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmdet2tflite.artifacts import OnnxModel, Report, TfliteModel
from mmdet2tflite.backends.table import BACKENDS
from mmdet2tflite.cli.dataset import dataset_of
from mmdet2tflite.config.dataset import DigitsData
from mmdet2tflite.config.experiment import Evaluation, Experiment
from mmdet2tflite.config.loading import load_experiment, override_experiment
from mmdet2tflite.config.project import project_root
from mmdet2tflite.data.files import split_paths
from mmdet2tflite.data.prepare import PROBLEM
from mmdet2tflite.data.validation_folder import recognise, take_folder
from mmdet2tflite.errors import ConfigError, ModelError, UserError
from mmdet2tflite.evaluate.analysis import ANALYSIS, lost_classes, what_goes_wrong
from mmdet2tflite.evaluate.class_names import label_as
from mmdet2tflite.evaluate.evaluate import leave_analysis, measure
from mmdet2tflite.evaluate.given_file import read_given
from mmdet2tflite.evaluate.request import REPORT, EvaluateRequest
from mmdet2tflite.processes.memory import bound, growing_at_most
from mmdet2tflite.report.outcome import Outcome
from mmdet2tflite.report.rows import uniform_metrics
from mmdet2tflite.report.terminal import progress_bar
from mmdet2tflite.report.validation import print_validation
from mmdet2tflite.stage import Job
from mmdet2tflite.store.manifest import LOGS
from mmdet2tflite.store.store import Store

LABELLED = "labelled.json"
"""The validation split with the detector's labels."""


@dataclass(frozen=True)
class Data:
    """A checked validation split: a COCO json, where its images are, problems by kind."""

    annotations: Path
    images: Path
    problems: Mapping[str, int]


def validate_and_print(model: Path, data: Path, overrides: Sequence[str], out: Path | None) -> None:
    """The command: a table and some lines in the terminal, everything in a file if wanted.

    Raises UserError.
    """
    out = out.absolute() if out else None
    if out and not out.parent.is_dir():
        raise ConfigError(f"there is no folder {out.parent}", "a file to write", "change --json")
    values = validate(model.absolute(), data, overrides)
    if out:
        try:
            out.write_text(json.dumps(values, indent=1, allow_nan=False), encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"cannot write {out}: {error.strerror}", "a file", "change --json"
            ) from None
    print_validation(values, out)


def validate(file: Path, data: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Measure a detector on a validation split.

    Args:
        file: absolute; see ``read_given``.
        data: an experiment's file, whose data set is made or taken from its store; or a folder, see
            ``recognise``.
        overrides: of an experiment's settings. Those of a folder are the defaults.

    Returns:
        What ``report.json`` holds, its metrics by uniform names, and ``file``, ``variant``,
        ``head``, ``preprocessing``, ``data``, ``analysis``, ``mistakes``, ``lost_classes``.

    Raises:
        UserError: the file is no detector, the data set is wrong, or their classes do not match.
    """
    with growing_at_most(bound(), error=ModelError):
        model = read_given(file)
    is_folder = os.path.isdir(data)
    experiment = (_folder if is_folder else _experiment)(data, overrides)
    work = Path(tempfile.mkdtemp(prefix="mmdet2tflite-val-"))
    (work / LOGS).mkdir()
    with ExitStack() as leaving, progress_bar("evaluate") as on_progress:
        leaving.callback(shutil.rmtree, work)
        job = Job(Store(experiment.store), work, experiment.timeouts.dataset, on_progress)
        try:
            found = _of_folder(job, experiment) if is_folder else _of_experiment(experiment)
            return {"file": str(file), **_measure(job, file, model, str(data), found, experiment)}
        except UserError as error:
            if str(work) in str(error):  # a log, or a list of problems
                leaving.pop_all()
            raise


def _measure(
    job: Job,
    file: Path,
    model: TfliteModel | OnnxModel,
    origin: str,
    data: Data,
    experiment: Experiment,
) -> dict[str, Any]:
    annotations = json.loads(data.annotations.read_text(encoding="utf-8"))
    labelled = label_as(annotations, model.head.classes)
    (job.work / LABELLED).write_text(json.dumps(labelled.annotations), encoding="utf-8")
    request = EvaluateRequest(
        model=model,
        model_folder=file.parent,
        annotations=job.work / LABELLED,
        images=data.images,
        reference=None,
        config=_on_one_thread(experiment.evaluation),
        work=job.work,
    )
    metrics = measure(replace(job, timeout=experiment.timeouts.evaluate), request)
    metrics |= leave_analysis(request)
    described = {
        "from": origin,
        "classes_without_boxes": list(labelled.without_boxes),
        "problems": dict(data.problems),
    }
    return {"data": described, **_read(request, metrics)}


def _folder(folder: Path, overrides: Sequence[str]) -> Experiment:
    values = {"name": "val", "dataset": recognise(folder)}
    return override_experiment(values, overrides, origin=str(folder))


def _experiment(file: Path, overrides: Sequence[str]) -> Experiment:
    experiment = load_experiment(file, overrides)
    os.chdir(project_root())  # relative paths of an experiment start there
    return experiment


def _of_experiment(experiment: Experiment) -> Data:
    store = Store(experiment.store)
    dataset = dataset_of(experiment, store)
    problems = {
        name.removeprefix(PROBLEM): int(number)
        for name, number in dataset.metrics.items()
        if name.startswith(PROBLEM)
    }
    return Data(*split_paths(store, dataset, "val"), problems)


def _of_folder(job: Job, experiment: Experiment) -> Data:
    assert not isinstance(experiment.dataset, DigitsData)  # recognise
    annotations, images, problems = take_folder(job, experiment.dataset)
    return Data(annotations, images, Counter(problem.kind for problem in problems))


def _on_one_thread(config: Evaluation) -> Evaluation:
    latency = config.latency.model_copy(update={"threads": (1,)})
    return config.model_copy(update={"latency": latency})


def _read(request: EvaluateRequest, metrics: Mapping[str, float]) -> dict[str, Any]:
    """What the evaluation left in its folder."""
    model, backend = request.model, BACKENDS[request.model.kind]
    variant = backend.label(model)
    report = Report(runtime=backend.name, variant=variant, model="", metrics=dict(metrics))
    details, analysis = (
        json.loads((request.work / name).read_text("utf-8")) for name in (REPORT, ANALYSIS)
    )
    return {
        "variant": variant,
        "runtime": backend.name,
        **model.model_dump(mode="json", include={"head", "preprocessing"}),
        **details,
        "metrics": uniform_metrics(Outcome.measured(model, report)),
        "analysis": analysis,
        "mistakes": what_goes_wrong(analysis),
        "lost_classes": lost_classes(analysis),
    }
