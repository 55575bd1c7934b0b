"""Where the files of a data set lie: those of a user's, and those of a checked one."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.files.image_file import SUFFIXES
from mmdet2tflite.store.store import Store

type SplitName = Literal["train", "val"]


MOST_TEXT = 8_000_000
"""Bytes of a file that describes one image (XML, labels), and of a list of VOC's."""
MOST_LIST = 100_000_000
"""Of a list of YOLO's, which names whole paths."""
MOST_JSON = 500_000_000
"""Of a COCO json; that of COCO 2017 has 470 MB."""


def absolute(path: Path) -> Path:
    """``~`` is the user's home, if there is such a user."""
    return Path(os.path.expanduser(path)).absolute()


def real(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Folders as the file system knows them, whatever symbolic links lead there."""
    return tuple(Path(os.path.realpath(folder)) for folder in folders)


def where_outside(path: Path, folders: Sequence[Path]) -> str:
    """Where a path leads that is in none of the ``real`` folders, in words; "" if it is in one.

    Symbolic links are followed; no file is opened. That a name is none that a file can have is left
    to who opens it.
    """
    try:
        place = os.path.realpath(path)
    except ValueError:
        return ""
    if any(Path(place).is_relative_to(folder) for folder in folders):
        return ""
    link = "" if str(path) == place else f"{path} leads to "
    return f"{link}{place}, which is not in {' or '.join(map(str, folders))}"


def images_by_name(folder: Path) -> defaultdict[str, list[str]]:
    """Name without suffix → the image files of a folder that have it."""
    result = defaultdict(list)
    with suppress(OSError):  # then every image is missing
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in SUFFIXES:
                result[file.stem].append(file.name)
    return result


def split_paths(store: Store, dataset: Dataset, split: SplitName) -> tuple[Path, Path]:
    """Absolute paths of a split's COCO json and image folder."""
    part = dataset.train if split == "train" else dataset.val
    folder = store.path(dataset).resolve()
    return folder / part.annotations, Path(part.image_root) if part.image_root else folder


def image_files(store: Store, dataset: Dataset, split: SplitName) -> list[Path]:
    """Absolute paths of a split's images, in the order of its json."""
    annotations, root = split_paths(store, dataset, split)
    images = json.loads(annotations.read_text(encoding="utf-8"))["images"]
    return [root / image["file_name"] for image in images]
