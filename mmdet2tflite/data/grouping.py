"""Which pictures of a data set must not be parted by a split that is made.

Rules:

1. Files with the same content stay together, always.
2. ``by: group``: so do pictures that look alike (``looks.SAME``).
3. ``by: group``: so do the frames of a video. These are at least ``FRAMES`` files of a folder whose
   names differ in their last number only, of which each looks like the next in the median
   (``looks.SAME_SCENE``). Names alone say nothing: most data sets number their pictures.
4. What is together with a third is together.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

from mmdet2tflite.data.looks import SAME_SCENE, alike, difference

FRAMES = 5
"""Pictures that a video has at least."""
NUMBERED = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)
"""A name: what is before its last number, the number, and what is behind."""


@dataclass(frozen=True)
class Seen:
    """What is known of a picture: ``file`` in the data set, digest of its content, and its look."""

    file: str
    sha256: str
    look: int | None


def group(pictures: Sequence[Seen], by: Literal["image", "group"]) -> list[list[int]]:
    """Indices of the pictures, in groups that stay together; in the order of their first ones."""
    parent = list(range(len(pictures)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    pairs = list(_equal(pictures))
    if by == "group":
        pairs += alike([picture.look for picture in pictures])
        for frames in videos(pictures):
            pairs += pairwise(frames)
    for one, other in pairs:
        first, second = sorted((root(one), root(other)))
        parent[second] = first
    return _collected((root(index), index) for index in range(len(pictures)))


def videos(pictures: Sequence[Seen]) -> list[list[int]]:
    """Indices of the frames of each video, in the order of their numbers (rule 3)."""
    numbered = []
    for index, picture in enumerate(pictures):
        if match := NUMBERED.fullmatch(picture.file):
            before, number, behind = match.groups()
            numbered.append(((before, behind), (int(number), index)))
    series = [[index for _, index in sorted(each)] for each in _collected(numbered)]
    return [each for each in series if len(each) >= FRAMES and _is_video(pictures, each)]


def _is_video(pictures: Sequence[Seen], series: Sequence[int]) -> bool:
    looks = [look for index in series if (look := pictures[index].look) is not None]
    if len(looks) < FRAMES:
        return False
    return median(difference(one, other) for one, other in pairwise(looks)) <= SAME_SCENE


def _equal(pictures: Sequence[Seen]) -> Iterator[tuple[int, int]]:
    for same in _collected((picture.sha256, at) for at, picture in enumerate(pictures)):
        yield from pairwise(same)


def _collected[T](keyed: Iterable[tuple[Hashable, T]]) -> list[list[T]]:
    result: defaultdict[Hashable, list[T]] = defaultdict(list)
    for key, value in keyed:
        result[key].append(value)
    return list(result.values())
