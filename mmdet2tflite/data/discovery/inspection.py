"""What a data set that was found holds, by the same reading and checks as a run's."""

import math
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter

from mmdet2tflite.config.dataset import DataInFiles, DatasetConfig, DigitsData
from mmdet2tflite.config.names import Fix
from mmdet2tflite.data import voc
from mmdet2tflite.data.discovery.proposals import Facts
from mmdet2tflite.data.grouping import group
from mmdet2tflite.data.made_split import seen
from mmdet2tflite.data.prepare import Examined, examine
from mmdet2tflite.data.problems import MENDS, Findings
from mmdet2tflite.errors import DataError
from mmdet2tflite.processes.toolchain import OnProgress
from mmdet2tflite.stage import Job
from mmdet2tflite.store.store import Store

TIMEOUT = 3600.0
"""Seconds for reading all pictures, as ``timeouts.dataset`` is by default."""
SHARE = 0.2
"""Of the pictures, for a validation split that is made."""


@dataclass(frozen=True)
class Inspected:
    """What is in a data set.

    Args:
        settings: the section ``dataset`` that reads it without a complaint.
        facts: what proposals are made from.
        problems: kind → how many were found: what ``fix`` mends, and warnings.
        groups: pictures of each group that looks alike or is a video.
        apart: files of such groups that a split of the data set's own tears apart.
    """

    settings: Mapping[str, Any]
    facts: Facts
    pictures: Mapping[str, int]
    boxes: Mapping[str, int]
    problems: Mapping[str, int]
    groups: Sequence[int]
    apart: Sequence[Sequence[str]]


def inspect_dataset(
    settings: Mapping[str, Any], needs_split: bool, on_progress: OnProgress
) -> Inspected:
    """Read, check and count.

    Args:
        settings: the section as ``dataset_settings`` gives it.
        needs_split: no validation split is named.

    Raises:
        DataError: a problem that no setting mends. The report is left in a temporary folder.
    """
    complete = dict(settings)
    if needs_split:
        complete["split"] = {"val": SHARE, "by": "image"}
    if settings["kind"] == "voc":
        complete["first_pixel"] = 0 if _counts_from_0(_config(complete)) else 1
    examined = _examine(_config(complete | {"fix": get_args(Fix)}), on_progress)
    problems: dict[str, int] = defaultdict(int)
    for problem in examined.problems:
        problems[problem.kind] += 1
    if fix := [kind for kind in MENDS if kind in problems]:
        complete["fix"] = fix
    complete["classes"] = list(examined.classes)
    groups, apart = _groups(examined)
    if needs_split:
        pictures = sum(len(part.pictures) for part in examined.parts.values())
        useful = groups and max(groups) <= (1 - SHARE) * pictures
        complete["split"] = {"val": SHARE, "by": "group" if useful else "image"}
    return Inspected(
        settings=complete,
        facts=_facts(examined, oriented=settings["kind"] == "dota"),
        pictures={name: len(part.pictures) for name, part in examined.parts.items()},
        boxes={name: coco.boxes for name, coco in examined.final.items()},
        problems=problems,
        groups=groups,
        apart=apart,
    )


def _examine(config: DataInFiles, on_progress: OnProgress) -> Examined:
    work = Path(tempfile.mkdtemp(prefix="mmdet2tflite-init-"))
    with ExitStack() as leaving:
        leaving.callback(shutil.rmtree, work)
        try:
            return examine(Job(Store(work / "store"), work, TIMEOUT, on_progress), config)
        except DataError:
            leaving.pop_all()  # its message names the report in this folder
            raise


def _config(settings: Mapping[str, Any]) -> DataInFiles:
    config = TypeAdapter[DatasetConfig](DatasetConfig).validate_python(settings)
    assert not isinstance(config, DigitsData)
    return config


def _counts_from_0(config: Any) -> bool:
    findings = Findings("train")
    voc.read(config, "train", findings)
    if config.val is not None:
        voc.read(config, "val", findings)
    return any(problem.kind == "first_pixel" for problem in findings.problems)


def _groups(examined: Examined) -> tuple[list[int], list[list[str]]]:
    """Sizes of groups of more than one picture; and the files of those in both splits."""
    split_of = [name for name, part in examined.parts.items() for _ in part.pictures]
    pictures = [picture for part in examined.parts.values() for picture in seen(part)]
    groups = [each for each in group(pictures, "group") if len(each) > 1]
    torn = [each for each in groups if len({split_of[index] for index in each}) > 1]
    return [len(each) for each in groups], [[pictures[at].file for at in each] for each in torn]


def _facts(examined: Examined, *, oriented: bool) -> Facts:
    sides: dict[str, list[float]] = {name: [] for name in examined.classes}
    sizes = []
    for coco in examined.final.values():
        longer = {image.id: max(image.width or 1, image.height or 1) for image in coco.images}
        sizes += [(image.width or 1, image.height or 1) for image in coco.images]
        for box in coco.annotations:
            if not box.iscrowd:
                side = math.sqrt(box.bbox[2] * box.bbox[3]) / longer[box.image_id]
                sides[examined.classes[box.category_id]].append(side)
    return Facts(sizes, sides, len(examined.parts["train"].pictures), oriented)
