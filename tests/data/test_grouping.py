"""What a split that is made keeps together."""

import random

import pytest

from mmdet2tflite.data.grouping import FRAMES, Seen, group, videos
from mmdet2tflite.data.looks import SAME, SAME_SCENE


def unrelated(number: int) -> int:
    return random.Random(number).getrandbits(64)


def frames(name: str, bits: int, number: int = FRAMES, first: int = 1) -> list[Seen]:
    """Pictures that differ from the next one in so many bits, and from no other in few."""
    look = unrelated(sum(name.encode()))
    result = []
    for at in range(number):
        result.append(Seen(f"{name}{first + at:03}.jpg", f"{name}{at}", look))
        for bit in random.Random(f"{name}{at}").sample(range(64), bits):
            look ^= 1 << bit
    return result


def test_equal_files_are_together_whatever_is_asked_for() -> None:
    pictures = [Seen("a", "same", 0), Seen("b", "other", 2**64 - 1), Seen("c", "same", 0)]
    assert group(pictures, "image") == [[0, 2], [1]]


def test_pictures_that_look_alike_are_together_by_group_alone() -> None:
    pictures = [Seen("a", "1", 0), Seen("b", "2", 2**64 - 1), Seen("c", "3", 2**SAME - 1)]
    assert group(pictures, "image") == [[0], [1], [2]]
    assert group(pictures, "group") == [[0, 2], [1]]


def test_what_is_together_with_a_third_is_together() -> None:
    step = 2**SAME - 1
    pictures = [Seen("a", "1", 0), Seen("b", "2", step), Seen("c", "3", step | step << SAME)]
    assert group(pictures, "group") == [[0, 1, 2]]


def test_frames_of_a_video_are_together_although_the_first_is_unlike_the_last() -> None:
    pictures = [*frames("walk_", SAME_SCENE), Seen("walk_.jpg", "x", unrelated(1))]
    assert videos(pictures) == [list(range(FRAMES))]
    assert group(pictures, "group") == [list(range(FRAMES)), [FRAMES]]


@pytest.mark.parametrize(
    "pictures",
    [
        frames("img", 32),
        frames("walk", SAME_SCENE, FRAMES - 1),
        [*frames("a/walk", SAME_SCENE, 3), *frames("b/walk", SAME_SCENE, 3)],
    ],
    ids=["numbers, but unlike pictures", "too few", "two folders"],
)
def test_numbered_names_alone_make_no_video(pictures: list[Seen]) -> None:
    assert videos(pictures) == []


def test_frames_are_in_the_order_of_their_numbers() -> None:
    pictures = frames("f", SAME_SCENE, 6, first=998)  # f998, f999, f1000 …
    shuffled = [pictures[at] for at in (3, 0, 5, 1, 4, 2)]
    assert videos(shuffled) == [[1, 3, 5, 0, 4, 2]]
