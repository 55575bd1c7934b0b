"""Where the files of a data set lie: those of a user's, and those of a checked one."""

import json
from pathlib import Path
from typing import Literal

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.store import Store

type SplitName = Literal["train", "val"]

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Of the files that are images, in either case; OpenCV decodes all of them."""


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
