"""Pad arithmetic: the examples, worked out by hand, and what is refused."""

from dataclasses import replace

import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.geometry import Axis, Widening, resolve_auto_pad, same_output, same_pads
from tests.graph.brute_force import (
    reads,
)


def test_a_dilated_kernel_spans_the_rows_between_its_taps() -> None:
    assert Axis(size=9, kernel=3, dilation=2).span == 5
    assert Axis(size=9, kernel=1, dilation=3).span == 1


@pytest.mark.parametrize(
    ("size", "kernel", "begin", "end", "output"),
    [
        (416, 3, 1, 1, 208),
        (417, 3, 1, 1, 209),
        (416, 6, 2, 2, 208),
        (6, 1, 0, 0, 3),
        (5, 5, 0, 0, 1),
    ],
)
def test_output_of_a_convolution_of_stride_2(
    size: int, kernel: int, begin: int, end: int, output: int
) -> None:
    assert Axis(size=size, kernel=kernel, stride=2, begin=begin, end=end).output == output


def test_on_an_even_size_the_end_pad_of_a_3x3_at_stride_2_is_not_read() -> None:
    assert Axis(size=416, kernel=3, stride=2, begin=1, end=1).effective_end == 0


def test_on_an_odd_size_the_end_pad_of_a_3x3_at_stride_2_is_read() -> None:
    assert Axis(size=417, kernel=3, stride=2, begin=1, end=1).effective_end == 1


def test_a_1x1_at_stride_2_never_reads_the_last_row_of_an_even_size() -> None:
    shortcut = Axis(size=6, kernel=1, stride=2)
    assert reads(shortcut) == [[0], [2], [4]]
    assert shortcut.signed_end == -1
    assert shortcut.effective_end == 0


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "pads"),
    [
        (416, 3, 2, 1, (0, 1)),
        (417, 3, 2, 1, (1, 1)),
        (416, 3, 1, 1, (1, 1)),
        (416, 4, 2, 1, (1, 1)),
        (416, 6, 2, 1, (2, 2)),
        (416, 2, 2, 1, (0, 0)),
        (416, 1, 2, 1, (0, 0)),
        (416, 3, 1, 2, (2, 2)),
        (416, 4, 1, 1, (1, 2)),
    ],
)
def test_tensorflow_same_puts_the_odd_row_at_the_end(
    size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]
) -> None:
    assert same_pads(size, kernel, stride, dilation) == pads


def test_same_has_an_output_for_every_stride_begun() -> None:
    assert [same_output(size, 3) for size in (1, 2, 3, 4, 6, 7)] == [1, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("mode", "pads"),
    [("NOTSET", (0, 0)), ("VALID", (0, 0)), ("SAME_UPPER", (0, 1)), ("SAME_LOWER", (1, 0))],
)
def test_auto_pad_of_a_3x3_at_stride_2_on_an_even_size(mode: str, pads: tuple[int, int]) -> None:
    assert resolve_auto_pad(mode, 416, 3, 2, 1) == pads


def test_without_auto_pad_the_pads_of_the_node_hold() -> None:
    assert resolve_auto_pad("NOTSET", 416, 3, 2, 1, pads=(2, 1)) == (2, 1)


def test_auto_pad_takes_the_dilation_into_account() -> None:
    assert resolve_auto_pad("SAME_LOWER", 8, 2, 1, 3) == (2, 1)


@pytest.mark.parametrize(("pad", "kernel"), [(1, 3), (2, 5), (3, 7)])
def test_pytorch_stride_2_on_an_even_size_is_not_same_but_flipped_it_is(
    pad: int, kernel: int
) -> None:
    axis = Axis(size=416, kernel=kernel, stride=2, begin=pad, end=pad)
    assert not axis.is_same
    assert axis.flip().is_same
    assert axis.flip() == replace(axis, begin=pad - 1)


@pytest.mark.parametrize(
    "axis",
    [
        Axis(size=417, kernel=3, stride=2, begin=1, end=1),
        Axis(size=416, kernel=3, begin=1, end=1),
        Axis(size=416, kernel=4, stride=2, begin=1, end=1),
        Axis(size=416, kernel=2, stride=2),
        Axis(size=416, kernel=6, stride=2, begin=2, end=2),
        Axis(size=416, kernel=3, stride=2, end=1),
        Axis(size=6, kernel=1, stride=2),
        Axis(size=20, kernel=5, begin=2, end=2),
    ],
    ids=str,
)
def test_what_is_same_already(axis: Axis) -> None:
    assert axis.is_same
    assert axis.widening() == Widening(0, 0)


def test_valid_is_not_same_where_same_has_more_outputs() -> None:
    assert not Axis(size=5, kernel=2, stride=2).is_same


def test_the_flip_of_unread_rows_is_a_crop_at_the_beginning() -> None:
    flipped = Axis(size=6, kernel=1, stride=2).flip()
    assert flipped == Axis(size=6, kernel=1, stride=2, crop=1)
    assert reads(flipped) == [[1], [3], [5]]
    assert not flipped.is_same


def test_a_3x3_at_stride_2_on_an_even_size_is_widened_by_one_row_after_it() -> None:
    assert Axis(size=416, kernel=3, stride=2, begin=1, end=1).widening() == Widening(0, 1)
    assert same_pads(416, 4, 2, 1) == (1, 1)


def test_a_flipped_1x1_at_stride_2_is_widened_to_2x2_with_its_weight_in_the_last_corner() -> None:
    assert Axis(size=6, kernel=1, stride=2).flip().widening() == Widening(1, 0)
    assert same_pads(6, 2, 2, 1) == (0, 0)


def test_a_dilated_kernel_is_widened_by_whole_taps() -> None:
    """Taps at -2, 0, 2 … of an even size; SAME of 4 taps begins at (7 - 2) // 2 = 2."""
    axis = Axis(size=8, kernel=3, stride=2, dilation=2, begin=2, end=2)
    assert (axis.signed_begin, axis.signed_end) == (2, 1)
    assert axis.widening() == Widening(0, 1)


def test_a_valid_convolution_has_no_widening() -> None:
    """Five outputs of 7 rows; SAME has seven."""
    assert Axis(size=7, kernel=3).widening() is None


def test_pads_that_differ_by_less_than_the_dilation_have_no_widening() -> None:
    """(q - p)·3 would have to be 3 - 2 = 1 or 2."""
    axis = Axis(size=9, kernel=2, stride=2, dilation=3, begin=2, end=1)
    assert (axis.output, axis.signed_begin, axis.signed_end) == (5, 2, 1)
    assert axis.widening() is None


# Refusals.


@pytest.mark.parametrize("name", ["size", "kernel", "stride", "dilation"])
@pytest.mark.parametrize("number", [0, -1])
def test_a_number_that_must_be_positive_is_refused_by_name(name: str, number: int) -> None:
    numbers = {"size": 8, "kernel": 3, "stride": 2, "dilation": 1, name: number}
    with pytest.raises(ModelError, match=f"{name} {number}"):
        Axis(**numbers)
    with pytest.raises(ModelError, match=f"{name} {number}"):
        same_pads(**numbers)


@pytest.mark.parametrize("pads", [(-1, 0), (0, -1)])
def test_a_negative_pad_is_refused(pads: tuple[int, int]) -> None:
    with pytest.raises(ModelError, match=r"pads of 0 or more"):
        Axis(size=8, kernel=3, begin=pads[0], end=pads[1])


def test_a_kernel_larger_than_the_padded_input_is_refused() -> None:
    assert Axis(size=4, kernel=4, dilation=2, begin=2, end=1).output == 1
    with pytest.raises(ModelError, match=r"covers 7 rows on an input of 4 rows with pads \(1, 1\)"):
        Axis(size=4, kernel=4, dilation=2, begin=1, end=1)


@pytest.mark.parametrize(("crop", "begin"), [(-1, 0), (2, 0), (1, 1)])
def test_a_crop_that_no_flip_gives_is_refused(crop: int, begin: int) -> None:
    with pytest.raises(ModelError, match=f"crop of {crop} with pad {begin} and stride 2"):
        Axis(size=8, kernel=3, stride=2, begin=begin, crop=crop)


def test_an_unknown_auto_pad_is_refused() -> None:
    with pytest.raises(ModelError, match="auto_pad 'SAME'"):
        resolve_auto_pad("SAME", 8, 3, 1, 1)


@pytest.mark.parametrize("mode", ["VALID", "SAME_UPPER", "SAME_LOWER"])
def test_pads_beside_auto_pad_are_refused(mode: str) -> None:
    with pytest.raises(ModelError, match=rf"pads \(1, 1\) beside auto_pad {mode}"):
        resolve_auto_pad(mode, 8, 3, 1, 1, pads=(1, 1))
