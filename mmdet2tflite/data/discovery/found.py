"""What is found in a folder, and the errors where no data set is, or more than one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from mmdet2tflite.config.names import DataFormat
from mmdet2tflite.data.discovery.listing import Listing
from mmdet2tflite.errors import DataError
from mmdet2tflite.files.image_file import SUFFIXES

NAMED = 4
"""Parts that a message names."""


@dataclass(frozen=True)
class Part:
    """Annotations of one format.

    Args:
        path: a file (COCO, YOLO's YAML), or a folder of files.
        has_val: YOLO's YAML names both splits.
        names: the first files that a COCO json names.
    """

    kind: DataFormat
    path: Path
    files: tuple[Path, ...]
    has_val: bool = False
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """A data set.

    Args:
        root: the folder above annotations and pictures.
        train: where to learn from.
        val: where to validate; None where a split is to be made, or files name both.
        images: path of a part → folder of its pictures; of a YAML none, which names them.
        notes: sentences about what was left alone, or found in an unexpected place.
        image_sets: VOC's lists of names for ``train`` and ``val``, if there are both.
        names: classes by YOLO's numbers, where there is no YAML.
    """

    root: Path
    train: Part
    val: Part | None
    images: Mapping[Path, Path]
    notes: tuple[str, ...] = ()
    image_sets: Mapping[str, Path] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    @property
    def needs_split(self) -> bool:
        """No validation split is named anywhere."""
        return self.val is None and not self.image_sets and not self.train.has_val


def no_folder(folder: Path) -> DataError:
    """It is not there, or no folder."""
    if os.path.exists(folder):
        return DataError(
            f"{folder} is a file",
            "a folder with pictures and annotations",
            "name the folder that it lies in",
        )
    return DataError(
        f"there is no folder {folder}", "a folder with pictures and annotations", "check the path"
    )


def no_annotations(listing: Listing, kind: DataFormat | None) -> DataError:
    """Pictures without annotations, or neither."""
    pictures = f"{listing.pictures:,} pictures" if listing.pictures else "no pictures"
    others = sum(map(len, listing.others.values()))
    formats = kind.upper() if kind else ", ".join(get_args(DataFormat)).upper()
    remedy = "put the annotations into the folder, or name the folder that holds both"
    if not listing.pictures:
        remedy = "check the path: name the folder that holds pictures and annotations"
    return DataError(
        f"{listing.root} has {pictures}, and no annotations (other files: {others:,})",
        f"pictures and annotations in one of the formats {formats} (docs/datasets.md)",
        remedy,
    )


def no_pictures(listing: Listing, part: Part) -> DataError:
    """Annotations without pictures."""
    have = f"{listing.pictures:,} pictures of other names" if listing.pictures else "no pictures"
    files = f"{len(part.files):,} file{'s' if len(part.files) > 1 else ''}"
    return DataError(
        f"{part.path} has annotations ({part.kind.upper()}, {files}), and there are {have}",
        f"the pictures that they name ({', '.join(SUFFIXES)}), in the folder or beside it",
        "put the pictures into the folder, or name the folder that holds both",
    )


def several(parts: Sequence[Part], remedy: str) -> DataError:
    """More than one data set."""
    lines = [f"{part.kind.upper()}: {part.path}" for part in parts[:NAMED]]
    if len(parts) > NAMED:
        lines.append(f"... and {len(parts) - NAMED:,} more")
    return DataError(
        f"{len(parts):,} sets of annotations:\n    " + "\n    ".join(lines),
        "one, or a train and a val of one format",
        remedy,
    )
