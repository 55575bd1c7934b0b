"""A folder of annotated images that is not described in any experiment, to be evaluated on."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmdet2tflite.config.dataset import CocoData, DotaData, VocData, YoloData
from mmdet2tflite.data.checks import check_not_empty, check_split
from mmdet2tflite.data.classes import check_classes
from mmdet2tflite.data.coco import files, relate_to_classes, write_coco
from mmdet2tflite.data.prepare import FORMATS, REPORT
from mmdet2tflite.data.problems import Findings, Problem, report_problems
from mmdet2tflite.errors import DataError
from mmdet2tflite.stage import Job

type Settings = dict[str, Any]
"""Of the section ``dataset``, as a YAML file has them."""

ANNOTATIONS = "val.json"
WORDS = """
        name: mine
        dataset:
          kind: coco
          root: {folder}
          train: {{annotations: val.json, images: images}}
          val: {{annotations: val.json, images: images}}
"""


def recognise(folder: Path) -> Settings:
    """The settings that a folder goes without, because its form says them.

    1. ``data.yaml``: YOLO; its split ``val``.
    2. One ``.json``: COCO; the images lie in ``images``, if its first one does, or beside it.
    3. ``Annotations``, or ``.xml`` files: VOC; the images lie in ``JPEGImages``, if there is such a
       folder, or beside the files. ``ImageSets/Main/val.txt``, if it is there, says which.
    4. ``labelTxt``: DOTA; the images lie in ``images``.

    Both splits are the same: one has a name in the settings, and the other has to be there.

    Raises:
        DataError: none of these, or several.
    """
    found = {kind: settings for kind, look in LOOKS.items() if (settings := look(folder))}
    if len(found) == 1:
        ((kind, settings),) = found.items()
        return {"kind": kind, **settings}
    jsons = sorted(path.name for path in folder.glob("*.json"))
    several = " and of ".join(found) or (f"coco, but for {len(jsons)} json files" if jsons else "")
    raise DataError(
        f"the folder {folder} has the form of {several or 'no data set that is known'}",
        "one of: data.yaml (YOLO); a single .json (COCO); Annotations or .xml files (VOC); "
        "labelTxt (DOTA)",
        "say in an experiment's file what lies where, and give that file as --data "
        f"(docs/datasets.md has every format):{WORDS.format(folder=folder)}",
    )


def take_folder(
    job: Job, config: CocoData | DotaData | VocData | YoloData
) -> tuple[Path, Path, list[Problem]]:
    """Read and check the validation split alone, as ``prepare`` does with both.

    Returns:
        A COCO json in ``job.work``, the folder that it names images in, and what was found and
        mended or only warned of.

    Raises:
        DataError: a problem that ``config.fix`` does not mend.
    """
    findings, report = Findings("val"), job.work / REPORT
    source = FORMATS[config.kind].read(config, "val", findings)
    report_problems(findings.problems, config.fix, report)
    assert source is not None  # or there would have been a problem
    # A split by itself names its classes, and agrees with itself about them.
    both, heard = {"train": source, "val": source}, {"train": findings, "val": Findings("val")}
    classes = check_classes(both, config.classes, heard)
    part = check_split(source, findings, job)
    final = relate_to_classes(part.coco, classes)
    check_not_empty({"val": final}, {"val": findings})
    report_problems(findings.problems, config.fix, report)
    write_coco(final, job.work / ANNOTATIONS)
    return job.work / ANNOTATIONS, source.folder, findings.problems


def _yolo(folder: Path) -> Settings:
    file = folder / "data.yaml"
    return {"data": str(file)} if file.is_file() else {}


def _coco(folder: Path) -> Settings:
    jsons = list(folder.glob("*.json"))
    if len(jsons) != 1:
        return {}
    beside, below = (
        _both(folder, annotations=jsons[0].name, images=images) for images in (".", "images")
    )
    _, *images = files(CocoData.model_validate({"kind": "coco", **below}), "val")
    return below if images and os.path.exists(images[0]) else beside


def _voc(folder: Path) -> Settings:
    annotations = _first_folder(folder, "Annotations")
    if annotations == "." and not any(folder.glob("*.xml")):
        return {}
    named = Path("ImageSets", "Main", "val.txt")
    chosen = {"image_set": str(named)} if (folder / named).is_file() else {}
    images = _first_folder(folder, "JPEGImages")
    return _both(folder, annotations=annotations, images=images, **chosen)


def _dota(folder: Path) -> Settings:
    if not (folder / "labelTxt").is_dir():
        return {}
    return _both(folder, annotations="labelTxt", images="images")


def _first_folder(folder: Path, name: str) -> str:
    """The name of a folder in another one, or that one itself if there is none."""
    return name if (folder / name).is_dir() else "."


def _both(folder: Path, **split: str) -> Settings:
    return {"root": str(folder), "train": split, "val": split}


LOOKS: Mapping[str, Callable[[Path], Settings]] = {
    "yolo": _yolo,
    "coco": _coco,
    "voc": _voc,
    "dota": _dota,
}
"""By ``kind``: the other settings, nothing if the folder has another form."""
