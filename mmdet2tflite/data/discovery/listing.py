"""The files of a folder, pictures and others."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmdet2tflite.errors import DataError
from mmdet2tflite.files.image_file import SUFFIXES

MOST_FILES = 500_000
"""Of a folder, all depths together."""


@dataclass(frozen=True)
class Listing:
    """Folders and the files in them, sorted.

    Args:
        root: the folder above them all.
        images: folder → its image files, by their suffixes.
        others: folder → its other files.
    """

    root: Path
    images: Mapping[Path, Sequence[Path]] = field(default_factory=dict)
    others: Mapping[Path, Sequence[Path]] = field(default_factory=dict)

    @property
    def pictures(self) -> int:
        """How many image files there are."""
        return sum(map(len, self.images.values()))


def list_files(root: Path) -> Listing:
    """All files below a folder; hidden folders and symbolic links to folders are left out.

    Raises:
        DataError: there are more than ``MOST_FILES``.
    """
    images: dict[Path, list[Path]] = {}
    others: dict[Path, list[Path]] = {}
    number = 0
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        number += len(names)
        if number > MOST_FILES:
            raise DataError(
                f"{root} has more than {MOST_FILES:,} files",
                "the folder of one data set",
                "name the folder of the data set itself",
            )
        for name in sorted(names):
            path = Path(place, name)
            kept = images if path.suffix.lower() in SUFFIXES else others
            kept.setdefault(path.parent, []).append(path)
    return Listing(root, images, others)


def list_beside(root: Path) -> Listing:
    """The pictures beside a folder: in the one above, and in those of that one, no deeper."""
    images: dict[Path, list[Path]] = {}
    above = root.parent
    for folder in (above, *sorted(each for each in above.iterdir() if each.is_dir())):
        try:
            found = [each for each in sorted(folder.iterdir()) if each.suffix.lower() in SUFFIXES]
        except OSError:  # not ours to read
            continue
        if found:
            images[folder] = found
    return Listing(above, images)
