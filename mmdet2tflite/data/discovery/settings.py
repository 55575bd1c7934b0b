"""The settings that read what was found: an experiment's section ``dataset``."""

from pathlib import Path
from typing import Any

from mmdet2tflite.data.discovery.found import Found, Part
from mmdet2tflite.data.yolo import label_file
from mmdet2tflite.errors import DataError
from mmdet2tflite.files.image_file import SUFFIXES


def dataset_settings(found: Found, description: Path) -> dict[str, Any]:
    """The section without ``split``, ``fix`` and the like; its paths are absolute.

    Args:
        description: where ``yolo_description`` will be written, if YOLO's labels have no YAML.
    """
    train, val = found.train, found.val
    if train.kind == "yolo":
        if train.path.is_file():
            return {"kind": "yolo", "data": train.path}
        return {"kind": "yolo", "data": description, "allowed_folders": [found.root]}
    if found.image_sets:
        splits = {
            split: {"image_set": file.relative_to(found.root), **_paths(found, train)}
            for split, file in sorted(found.image_sets.items())
        }
    else:
        splits = {"train": _paths(found, train)} | ({"val": _paths(found, val)} if val else {})
    return {"kind": train.kind, "root": found.root, **splits}


def yolo_description(found: Found) -> dict[str, Any] | None:
    """What a ``data.yaml`` says, for labels that have none; None where there is one, or no YOLO.

    Raises:
        DataError: labels do not lie where YOLO looks for them, or no file names the classes.
    """
    if found.train.kind != "yolo" or found.train.path.is_file():
        return None
    parts = {"train": found.train, **({"val": found.val} if found.val else {})}
    for part in parts.values():
        _check_place(part, found.images[part.path])
    if not found.names:
        raise DataError(
            f"no file says what the classes of {found.train.path} are called",
            "a data.yaml with names and train, or a classes.txt with a name in each line",
            "write the names into a classes.txt in the folder, in the order of their numbers",
        )
    paths = {name: str(found.images[part.path]) for name, part in parts.items()}
    return {"path": str(found.root), **paths, "names": list(found.names)}


def _check_place(part: Part, images: Path) -> None:
    files = set(part.files)
    pictures = [each for each in sorted(images.iterdir()) if each.suffix.lower() in SUFFIXES]
    if not any(label_file(each) in files for each in pictures):
        raise DataError(
            f"the labels of {images} are in {part.path}",
            f"them in {label_file(pictures[0]).parent}, where YOLO's rules look for them",
            "rename the folders to images and labels, one beside the other",
        )


def _paths(found: Found, part: Part) -> dict[str, Path]:
    folder = found.images[part.path]
    return {
        "annotations": part.path.relative_to(found.root),
        "images": folder.relative_to(found.root),
    }
