"""``mmdet2tflite preview``: what a training would show the network, without training."""

import copy
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.cli.dataset import dataset_of
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.config.project import project_root
from mmdet2tflite.detector.command_requests import PreviewRequest, PreviewResult
from mmdet2tflite.detector.pipeline_checks import measured_cautions
from mmdet2tflite.detector.train import data_paths
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.report.preview_page import draw_sheet, print_preview, render
from mmdet2tflite.report.terminal import progress_bar
from mmdet2tflite.stage import Job
from mmdet2tflite.store.manifest import LOGS
from mmdet2tflite.store.store import Store

PAGE, SHEET, NUMBERS = "preview.html", "preview.png", "preview.json"


def preview_and_print(
    file: Path, overrides: Sequence[str], out: Path | None, images: int, seed: int
) -> None:
    """The command: the gallery's files, and tables in the terminal. Raises UserError."""
    experiment = load_experiment(file, overrides)
    out = (out or Path("preview", experiment.name)).absolute()
    os.chdir(project_root())  # relative paths of an experiment start there
    values = preview(experiment, out, images, seed)
    print_preview(values, [out / name for name in (PAGE, SHEET, NUMBERS)])


def preview(experiment: Experiment, out: Path, images: int, seed: int) -> dict[str, Any]:
    """Write the gallery of an experiment into a folder.

    The data set is made or taken from the store, as a run does. The pictures are a seeded sample of
    the training images, each sent through the experiment's own pipeline, in every phase of the
    training.

    Args:
        out: folder for preview.html, preview.png, preview.json and ``log``; made if need be.
        images: how many training images to show; all if there are fewer.
        seed: of the sample and of the augmentation. The same seed gives the same files.

    Returns:
        What preview.json holds: ``phases`` with the counts of each transform, ``cautions``.

    Raises:
        UserError: the experiment trains nothing, the data set or the pipeline is wrong.
    """
    if experiment.training.epochs == 0:
        raise ConfigError(
            "training.epochs is 0: this experiment trains nothing",
            "an experiment that shows images to a network",
            "name the epochs: --set training.epochs=60",
        )
    _make(out)
    with tempfile.TemporaryDirectory(prefix="mmdet2tflite-preview-") as work:
        dataset, shown = _show(experiment, out, images, seed, Path(work))
        size = experiment.detector.input_size
        cautions = [*shown.cautions, *measured_cautions(shown.phases, size)]
        values = {
            "experiment": experiment.name,
            "seed": seed,
            "input_size": list(size),
            "classes": list(dataset.classes),
            "cautions": list(map(asdict, cautions)),
            "phases": shown.phases,
        }
        (out / PAGE).write_text(render(values), encoding="utf-8")
        (out / SHEET).write_bytes(draw_sheet(values))
    numbers = json.dumps(_without_files(values), indent=1, ensure_ascii=False)
    (out / NUMBERS).write_text(numbers, encoding="utf-8")
    return values


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(out / LOGS, ignore_errors=True)
        (out / LOGS).mkdir()
    except OSError as error:
        raise ConfigError(
            f"cannot write to {out}: {error.strerror}", "a folder for the gallery", "change --out"
        ) from None


def _show(
    experiment: Experiment, out: Path, images: int, seed: int, work: Path
) -> tuple[Dataset, PreviewResult]:
    store = Store(experiment.store)
    dataset = dataset_of(experiment, store)
    request = PreviewRequest(
        detector=experiment.detector,
        training=experiment.training,
        data=data_paths(store, dataset),
        images=min(images, dataset.train.images),
        seed=seed,
        work=work,
    )
    with progress_bar("preview") as on_progress:
        job = Job(store, out, experiment.timeouts.dataset, on_progress)
        worker = "mmdet2tflite.detector.preview_worker"
        return dataset, job.ask("mmdet", worker, request, PreviewResult, log="preview")


def _without_files(values: dict[str, Any]) -> dict[str, Any]:
    """The temporary files of the pictures are gone; the numbers stay."""
    kept = copy.deepcopy(values)
    for phase in kept["phases"]:
        del phase["story"]
        for seen in phase["pictures"]:
            del seen["picture"]
    return kept
