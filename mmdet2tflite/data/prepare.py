"""The stage ``dataset``: a config → a checked data set with classes counted from 0.

Runs in the parent process; OpenCV decodes in threads.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmdet2tflite.artifacts import Dataset, Split
from mmdet2tflite.config.dataset import (
    DataInFiles,
    DatasetConfig,
    DigitsData,
    FilesOfData,
    YoloData,
)
from mmdet2tflite.config.names import DataFormat
from mmdet2tflite.data import checks, coco, digits, dota, voc, yolo
from mmdet2tflite.data.checks import Checked
from mmdet2tflite.data.classes import check_classes
from mmdet2tflite.data.coco import Unchecked
from mmdet2tflite.data.files import SplitName, absolute
from mmdet2tflite.data.made_split import check_validated, make_split
from mmdet2tflite.data.problems import Findings, Problem, report_problems
from mmdet2tflite.files.digest import file_sha256, json_sha256
from mmdet2tflite.stage import Job, Stage
from mmdet2tflite.store.manifest import LOGS

SPLITS: tuple[SplitName, ...] = ("train", "val")
REPORT = f"{LOGS}/problems.json"
"""All problems found, mended or not, as a list. In the log folder, for it says where the data came
from and not what they are; that of a stopped stage stays in its work folder."""
PROBLEM = "problems."
"""Begins the name of a metric that counts the problems of a kind."""


@dataclass(frozen=True)
class Format:
    """How a data set of one kind is read.

    Args:
        read: a split, or None if it cannot be used; findings say why.
        files: all files that ``read`` and the checks look at, for a fingerprint; raises nothing.
    """

    read: Callable[[Any, SplitName, Findings], Unchecked | None]
    files: Callable[[Any, SplitName], list[Path]]


FORMATS: Mapping[DataFormat, Format] = {
    "coco": Format(coco.read, coco.files),
    "dota": Format(dota.read, dota.files),
    "voc": Format(voc.read, voc.files),
    "yolo": Format(yolo.read, yolo.files),
}


@dataclass(frozen=True)
class Examined:
    """A data set that may be used: by split, where its images lie, and what they show.

    Args:
        parts: as they were read and mended, with what was found out about the image files.
        final: the boxes of ``classes`` alone, with their indices.
        problems: all that were found; the settings allow them.
        metrics: of the split that was made.
    """

    classes: tuple[str, ...]
    folders: Mapping[str, Path]
    parts: Mapping[str, Checked]
    final: Mapping[str, coco.Coco]
    problems: Sequence[Problem]
    metrics: Mapping[str, float]


def prepare(job: Job, config: DatasetConfig) -> Dataset:
    """Make ``train.json`` and ``val.json`` and check what they say (docs/datasets.md).

    Raises:
        ConfigError: the digit scenes cannot be drawn as configured.
        DataError: a problem that ``config.fix`` does not mend; the report lies in the work folder.
    """
    if isinstance(config, DigitsData):
        return _draw_digits(job, config)
    return _take(job, config)


def fingerprint(config: DatasetConfig) -> Any:
    """What a data set's files look like without reading the images: path, size and time.

    Absolute paths, and those of the folders that it may reach into: what comes out says where the
    images are (``Split.image_root``). The stages that use it go by its digest, which does not.

    Missing or damaged files do not raise: ``prepare`` reports them.
    """
    if isinstance(config, DigitsData):
        return None
    files = FORMATS[config.kind].files
    named = named_splits(config)
    looks = {name: json_sha256([_stat(file) for file in files(config, name)]) for name in named}
    root = config.data if isinstance(config, YoloData) else config.root
    return {**looks, "reach": [str(absolute(path)) for path in (root, *config.allowed_folders)]}


def newest_change(config: DatasetConfig) -> datetime | None:
    """When a file of the data set changed last; None for the built-in one, or where none is there.

    Nothing is read but the annotations' lists of images.
    """
    if isinstance(config, DigitsData):
        return None
    files = FORMATS[config.kind].files
    stats = [_stat(file) for name in named_splits(config) for file in files(config, name)]
    times = [stat[2] for stat in stats if stat]
    return datetime.fromtimestamp(max(times) / 1e9, UTC) if times else None


def _draw_digits(job: Job, config: DigitsData) -> Dataset:
    splits = {}
    for name, values in digits.write_digits(config, job.work).items():
        files = [image["file_name"] for image in values["images"]]
        contents = [file_sha256(job.work / file) for file in files]
        splits[name] = _split(name, "", files, contents, len(values["annotations"]))
    return _dataset(digits.classes_of(config), splits, [], {})


def named_splits(config: FilesOfData) -> tuple[SplitName, ...]:
    """The splits that the data set has itself; of one that is made, the source is ``train``."""
    return SPLITS if config.split is None else ("train",)


def _take(job: Job, config: DataInFiles) -> Dataset:
    examined = examine(job, config)
    splits = {}
    for name, part in examined.parts.items():
        coco.write_coco(examined.final[name], job.work / f"{name}.json")
        files = [image.file_name for image in part.coco.images]
        contents = [picture.sha256 for picture in part.pictures]
        boxes = examined.final[name].boxes
        splits[name] = _split(name, str(examined.folders[name]), files, contents, boxes)
    return _dataset(examined.classes, splits, examined.problems, examined.metrics)


def examine(job: Job, config: DataInFiles) -> Examined:
    """Read a data set, check it, and make the split if there is none. Raises DataError."""
    findings: dict[str, Findings] = {name: Findings(name) for name in SPLITS}

    def verdict() -> list[Problem]:
        problems = [problem for name in SPLITS for problem in findings[name].problems]
        report_problems(problems, config.fix, job.work / REPORT)
        return problems

    read = FORMATS[config.kind].read
    found = {name: read(config, name, findings[name]) for name in named_splits(config)}
    verdict()
    sources: dict[str, Unchecked] = {name: part for name, part in found.items() if part is not None}

    classes = check_classes(sources, config.classes, findings)
    parts = {
        name: checks.check_split(source, findings[name], job) for name, source in sources.items()
    }
    metrics: dict[str, float] = {}
    if config.split is not None:
        verdict()  # a data set with problems is not divided: they are what has to be told
        parts, metrics = make_split(parts["train"], config.split)
    checks.check_repeated_pictures(parts, findings)
    final = {name: coco.relate_to_classes(part.coco, classes) for name, part in parts.items()}
    checks.check_not_empty(final, findings)
    if config.split is not None:
        check_validated(final, findings["val"])
    folders = {name: sources.get(name, sources["train"]).folder for name in parts}
    return Examined(classes, folders, parts, final, verdict(), metrics)


def _split(
    name: str, root: str, files: Sequence[str], contents: Sequence[str], boxes: int
) -> Split:
    return Split(
        annotations=f"{name}.json",
        image_root=root,
        images=len(files),
        boxes=boxes,
        images_digest=json_sha256(list(zip(files, contents, strict=True))),
    )


def _dataset(
    classes: tuple[str, ...],
    splits: dict[str, Split],
    problems: Sequence[Problem],
    more_metrics: Mapping[str, float],
) -> Dataset:
    metrics = dict(more_metrics)
    for name, split in splits.items():
        metrics |= {f"{name}.images": float(split.images), f"{name}.boxes": float(split.boxes)}
    for kind, number in Counter(problem.kind for problem in problems).items():
        metrics[f"{PROBLEM}{kind}"] = float(number)
    return Dataset(classes=classes, train=splits["train"], val=splits["val"], metrics=metrics)


def _stat(path: Path) -> tuple[str, int, int] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: no possible path
        return None
    return str(path), status.st_size, status.st_mtime_ns


DATASET = Stage[Dataset](
    name="dataset",
    run=prepare,
    tools=("numpy", "opencv-python", "scikit-learn"),
    outside=fingerprint,
)
