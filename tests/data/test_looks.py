"""The hash of a picture: what it sees, and what it does not."""

import cv2
import numpy as np
import pytest

from mmdet2tflite.data.looks import SAME, alike, difference, look_of


def scene(seed: int) -> np.ndarray:
    """A picture of 9 x 8 fields of 10 pixels, each grey of any brightness."""
    fields = np.random.default_rng(seed).integers(0, 256, (8, 9), dtype=np.uint8)
    return np.repeat(np.kron(fields, np.ones((10, 10), np.uint8))[..., None], 3, axis=2)


def test_a_bit_says_whether_a_field_is_brighter_than_its_left_neighbour() -> None:
    ramp = np.repeat(np.tile(np.arange(90, dtype=np.uint8), (80, 1))[..., None], 3, axis=2)
    assert look_of(ramp) == 2**64 - 1
    assert look_of(ramp[:, ::-1]) == 0


def test_a_picture_of_one_colour_has_no_look() -> None:
    assert look_of(np.full((80, 90, 3), 200, np.uint8)) is None


def test_a_scaled_and_compressed_copy_looks_alike_and_another_picture_does_not() -> None:
    picture = scene(0)
    _, encoded = cv2.imencode(
        ".jpg", cv2.resize(picture, (200, 180)), [cv2.IMWRITE_JPEG_QUALITY, 60]
    )
    copy = look_of(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    assert difference(look_of(picture), copy) <= SAME
    assert difference(look_of(picture), look_of(scene(1))) > SAME


@pytest.mark.parametrize(("bits", "pairs"), [(SAME, [(0, 2)]), (SAME + 1, [])])
def test_pairs_are_those_within_the_limit(bits: int, pairs: list[tuple[int, int]]) -> None:
    assert list(alike([0, None, 2**bits - 1])) == pairs


def test_pairs_are_found_across_blocks() -> None:
    """All others differ from each other in more bits: every 7th bit of each is its own."""
    looks = [int(each) for each in np.random.default_rng(0).integers(0, 2**63, 600)]
    looks[599] = looks[3] ^ 1
    expected = [(3, 599)]
    found = [pair for pair in alike(looks) if difference(*(looks[each] for each in pair)) <= SAME]
    assert found == expected
