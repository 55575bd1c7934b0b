"""Every rule of ``geometry.py`` against lists of the rows that each output reads."""

from dataclasses import replace

from hypothesis import assume, given

from mmdet2tflite.geometry import Axis, same_output, same_pads
from tests.graph.brute_force import (
    AXES,
    AXES_OF_THE_OUTPUT_OF_SAME,
    ROWS,
    TAPS,
    convolve,
    reads,
    same_axis,
    smallest_widenings,
    windows,
)


@given(AXES)
def test_output_is_the_number_of_windows_that_fit(axis: Axis) -> None:
    assert axis.output == len(reads(axis))


@given(AXES)
def test_the_effective_end_is_the_smallest_end_pad_that_changes_nothing(axis: Axis) -> None:
    trimmed = replace(axis, end=axis.effective_end)
    assert reads(trimmed) == reads(axis)
    if axis.effective_end and axis.output > 1:
        assert len(reads(replace(axis, end=axis.effective_end - 1))) < axis.output


@given(AXES)
def test_signed_ends_are_the_distances_from_the_input_to_the_outermost_windows(axis: Axis) -> None:
    assert windows(axis)[0][0] == -axis.signed_begin
    assert windows(axis)[-1][-1] == axis.size - 1 + axis.signed_end


@given(AXES)
def test_same_is_tensorflows_own_formula(axis: Axis) -> None:
    same = same_axis(axis)
    assert same_pads(axis.size, axis.kernel, axis.stride, axis.dilation) == (same.begin, same.end)
    assert same_output(axis.size, axis.stride) == len(reads(same))


@given(AXES)
def test_an_axis_is_same_exactly_if_same_reads_the_same_rows(axis: Axis) -> None:
    assert axis.is_same == (reads(same_axis(axis)) == reads(axis))


@given(AXES)
def test_the_flipped_axis_reads_the_flipped_rows_in_reverse_order(axis: Axis) -> None:
    expected = [
        [None if row is None else axis.size - 1 - row for row in reversed(window)]
        for window in reversed(reads(axis))
    ]
    assert reads(axis.flip()) == expected


@given(AXES)
def test_flipped_twice_an_axis_loses_only_the_end_pad_that_is_not_read(axis: Axis) -> None:
    assert axis.flip().flip() == replace(axis, end=axis.effective_end)


@given(AXES)
def test_a_widening_is_the_smallest_that_leaves_every_tap_where_it_was(axis: Axis) -> None:
    widening = axis.widening()
    most = 16 if widening is None else sum(widening)
    assert next(smallest_widenings(axis, most), None) == widening


@given(AXES_OF_THE_OUTPUT_OF_SAME, ROWS, TAPS)
def test_a_widened_convolution_computes_the_same(
    axis: Axis, rows: list[int], taps: list[int]
) -> None:
    widening, taps = axis.widening(), taps[: axis.kernel]
    assume(widening is not None)
    assert widening is not None
    widened = [0] * widening.before + taps + [0] * widening.after
    assert convolve(same_axis(axis, sum(widening)), rows, widened) == convolve(axis, rows, taps)


@given(AXES, ROWS, TAPS)
def test_a_flipped_convolution_computes_the_flipped_output(
    axis: Axis, rows: list[int], taps: list[int]
) -> None:
    rows, taps = rows[: axis.size], taps[: axis.kernel]
    assert convolve(axis.flip(), rows[::-1], taps[::-1]) == convolve(axis, rows, taps)[::-1]


@given(AXES_OF_THE_OUTPUT_OF_SAME.filter(lambda axis: axis.dilation < 3))
def test_with_the_output_of_same_every_kernel_of_dilation_1_or_2_has_a_widening(
    axis: Axis,
) -> None:
    """Of two rows that follow each other one is a multiple of 1 or 2."""
    assert axis.widening() is not None
