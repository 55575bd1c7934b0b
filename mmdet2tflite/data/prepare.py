"""The stage ``dataset``: a config → a checked data set with classes counted from 0.

Runs in the parent process; OpenCV decodes in threads.
"""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdet2tflite.artifacts import Dataset, Split
from mmdet2tflite.config import CocoData, CocoSplit, DatasetConfig, DigitsData
from mmdet2tflite.data import checks, coco, digits
from mmdet2tflite.data.problems import Findings, Problem, judge
from mmdet2tflite.digest import file_sha256, json_sha256
from mmdet2tflite.stage import Job, Stage
from mmdet2tflite.store import LOGS

SPLITS = ("train", "val")
REPORT = f"{LOGS}/problems.json"
"""All problems found, mended or not, as a list. In the log folder, for it says where the data came
from and not what they are; that of a stopped stage stays in its work folder."""


def prepare(job: Job, config: DatasetConfig) -> Dataset:
    """Make ``train.json`` and ``val.json`` and check what they say.

    Raises:
        ConfigError: the digit scenes cannot be drawn as configured.
        DataError: a problem that ``config.fix`` does not mend; the report lies in the work folder.
    """
    if isinstance(config, DigitsData):
        return _draw_digits(job, config)
    return _take_coco(job, config)


def fingerprint(config: DatasetConfig) -> Any:
    """What a data set's files look like without reading the images: path, size and time.

    Missing or damaged files do not raise: ``prepare`` reports them.
    """
    if isinstance(config, DigitsData):
        return None
    result = {}
    for name in SPLITS:
        annotations, folder = _paths(config, getattr(config, name))
        images = [_stat(folder / file) for file in coco.file_names(annotations)]
        result[name] = {"annotations": _stat(annotations), "images": json_sha256(images)}
    return result


def _draw_digits(job: Job, config: DigitsData) -> Dataset:
    splits = {}
    for name, values in digits.write_digits(config, job.work).items():
        files = [image["file_name"] for image in values["images"]]
        contents = [file_sha256(job.work / file) for file in files]
        splits[name] = _split(name, "", files, contents, len(values["annotations"]))
    return _dataset(digits.CLASSES, splits, [])


def _take_coco(job: Job, config: CocoData) -> Dataset:
    findings = {name: Findings(name) for name in SPLITS}

    def verdict() -> list[Problem]:
        problems = [problem for name in SPLITS for problem in findings[name].problems]
        judge(problems, config.fix, job.work / REPORT)
        return problems

    read = {}
    folders = {}
    for name in SPLITS:
        annotations, folders[name] = _paths(config, getattr(config, name))
        read[name] = coco.read_coco(annotations, findings[name])
    verdict()
    sources = {name: source for name, source in read.items() if source is not None}

    classes = checks.check_classes(sources, config.classes, findings)
    parts = {
        name: checks.check_split(source, folders[name], findings[name], job)
        for name, source in sources.items()
    }
    checks.check_repeated_pictures(parts, findings)
    final = {name: coco.relate_to_classes(part.coco, classes) for name, part in parts.items()}
    checks.check_not_empty(final, findings)
    problems = verdict()

    splits = {}
    for name, part in parts.items():
        coco.write_coco(final[name], job.work / f"{name}.json")
        files = [image.file_name for image in part.coco.images]
        contents = [picture.sha256 for picture in part.pictures]
        splits[name] = _split(name, str(folders[name]), files, contents, final[name].boxes)
    return _dataset(classes, splits, problems)


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
    classes: tuple[str, ...], splits: dict[str, Split], problems: Sequence[Problem]
) -> Dataset:
    metrics: dict[str, float] = {}
    for name, split in splits.items():
        metrics |= {f"{name}.images": float(split.images), f"{name}.boxes": float(split.boxes)}
    for kind, number in Counter(problem.kind for problem in problems).items():
        metrics[f"problems.{kind}"] = float(number)
    return Dataset(classes=classes, train=splits["train"], val=splits["val"], metrics=metrics)


def _paths(config: CocoData, split: CocoSplit) -> tuple[Path, Path]:
    """Absolute paths of a split's json and image folder."""
    root = config.root.expanduser().absolute()
    return root / split.annotations, (root / split.images).resolve()


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
    sources=(
        "mmdet2tflite.data.checks",
        "mmdet2tflite.data.coco",
        "mmdet2tflite.data.digits",
        "mmdet2tflite.data.prepare",
        "mmdet2tflite.data.problems",
    ),
    outside=fingerprint,
)
