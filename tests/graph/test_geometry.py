"""Pad arithmetic: by hand, and against lists of the rows that each output reads."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.geometry import Axis, Widening, resolve_auto_pad, same_output, same_pads

type Window = list[int | None]
"""Per tap the row of the input that it reads, None for a zero."""


def windows(axis: Axis) -> list[range]:
    """The definition, without a formula: pad, crop, slide the window until it does not fit.

    Rows of the padded input by their distance from the input's first row: negative, or beyond
    the last row, where a pad is.
    """
    padded = range(-axis.begin, axis.size + axis.end)[axis.crop :]
    fitting = [
        padded[start : start + (axis.kernel - 1) * axis.dilation + 1 : axis.dilation]
        for start in range(0, len(padded), axis.stride)
    ]
    return [window for window in fitting if len(window) == axis.kernel]


def reads(axis: Axis) -> list[Window]:
    rows = range(axis.size)
    return [[row if row in rows else None for row in window] for window in windows(axis)]


def same_axis(axis: Axis, more_taps: int = 0) -> Axis:
    """The axis under SAME, in TensorFlow's own form of the formula (tf.nn, "Notes on padding")."""
    kernel = axis.kernel + more_taps
    span = (kernel - 1) * axis.dilation + 1
    total = max(span - (axis.size % axis.stride or axis.stride), 0)
    begin = total // 2
    return replace(axis, kernel=kernel, begin=begin, end=total - begin, crop=0)


def reads_when_widened(axis: Axis, before: int, after: int) -> list[Window]:
    """What the original taps read after SAME of the larger kernel."""
    larger = reads(same_axis(axis, before + after))
    return [window[before : before + axis.kernel] for window in larger]


def smallest_widenings(axis: Axis, most: int) -> Iterator[tuple[int, int]]:
    """Every widening that changes nothing, the smallest first."""
    for taps in range(most + 1):
        for before in range(taps + 1):
            if reads_when_widened(axis, before, taps - before) == reads(axis):
                yield before, taps - before


def convolve(axis: Axis, rows: list[int], taps: list[int]) -> list[int]:
    return [
        sum(tap * rows[row] for tap, row in zip(taps, window, strict=True) if row is not None)
        for window in reads(axis)
    ]


@st.composite
def pads_of_any_output(draw: st.DrawFn) -> Axis:
    numbers = draw(st.fixed_dictionaries(SMALL))
    begin, end = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    smallest = max(1, (numbers["kernel"] - 1) * numbers["dilation"] + 1 - begin - end)
    size = draw(st.integers(smallest, smallest + 11))
    return Axis(size=size, **numbers, begin=begin, end=end)


@st.composite
def pads_of_the_output_of_same(draw: st.DrawFn) -> Axis:
    """SAME's total split otherwise, and an end pad of which part may not be read."""
    numbers = draw(st.fixed_dictionaries({"size": st.integers(1, 14), **SMALL}))
    begin, end = same_pads(**numbers)
    total = begin + end
    begin = draw(st.integers(0, total))
    unread = draw(st.integers(0, numbers["stride"] - 1)) if total else 0
    return Axis(**numbers, begin=begin, end=total - begin + unread)


def reads_something(axis: Axis) -> bool:
    """Where every tap is on padding, any pads do and none is "the" right one."""
    return any(row is not None for window in reads(axis) for row in window)


def or_mirrored(strategy: st.SearchStrategy[Axis]) -> st.SearchStrategy[Axis]:
    some = strategy.filter(reads_something)
    return some | some.map(Axis.mirror)


SMALL = {
    "kernel": st.integers(1, 7),
    "stride": st.integers(1, 4),
    "dilation": st.integers(1, 3),
}
AXES = or_mirrored(pads_of_any_output() | pads_of_the_output_of_same())
AXES_OF_THE_OUTPUT_OF_SAME = or_mirrored(pads_of_the_output_of_same())
ROWS = st.lists(st.integers(-9, 9), min_size=30, max_size=30)
TAPS = st.lists(st.integers(-9, 9), min_size=7, max_size=7)


# The examples, worked out by hand.


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
def test_pytorch_stride_2_on_an_even_size_is_not_same_but_its_mirror_is(
    pad: int, kernel: int
) -> None:
    axis = Axis(size=416, kernel=kernel, stride=2, begin=pad, end=pad)
    assert not axis.is_same
    assert axis.mirror().is_same
    assert axis.mirror() == replace(axis, begin=pad - 1)


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


def test_the_mirror_of_unread_rows_is_a_crop_at_the_beginning() -> None:
    mirrored = Axis(size=6, kernel=1, stride=2).mirror()
    assert mirrored == Axis(size=6, kernel=1, stride=2, crop=1)
    assert reads(mirrored) == [[1], [3], [5]]
    assert not mirrored.is_same


def test_a_3x3_at_stride_2_on_an_even_size_is_widened_by_one_row_after_it() -> None:
    assert Axis(size=416, kernel=3, stride=2, begin=1, end=1).widening() == Widening(0, 1)
    assert same_pads(416, 4, 2, 1) == (1, 1)


def test_a_mirrored_1x1_at_stride_2_is_widened_to_2x2_with_its_weight_in_the_last_corner() -> None:
    assert Axis(size=6, kernel=1, stride=2).mirror().widening() == Widening(1, 0)
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
def test_a_crop_that_no_mirror_gives_is_refused(crop: int, begin: int) -> None:
    with pytest.raises(ModelError, match=f"crop of {crop} with pad {begin} and stride 2"):
        Axis(size=8, kernel=3, stride=2, begin=begin, crop=crop)


def test_an_unknown_auto_pad_is_refused() -> None:
    with pytest.raises(ModelError, match="auto_pad 'SAME'"):
        resolve_auto_pad("SAME", 8, 3, 1, 1)


@pytest.mark.parametrize("mode", ["VALID", "SAME_UPPER", "SAME_LOWER"])
def test_pads_beside_auto_pad_are_refused(mode: str) -> None:
    with pytest.raises(ModelError, match=rf"pads \(1, 1\) beside auto_pad {mode}"):
        resolve_auto_pad(mode, 8, 3, 1, 1, pads=(1, 1))


# Against the definition.


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
def test_the_mirror_reads_the_mirrored_rows_in_reverse_order(axis: Axis) -> None:
    expected = [
        [None if row is None else axis.size - 1 - row for row in reversed(window)]
        for window in reversed(reads(axis))
    ]
    assert reads(axis.mirror()) == expected


@given(AXES)
def test_mirrored_twice_an_axis_loses_only_the_end_pad_that_is_not_read(axis: Axis) -> None:
    assert axis.mirror().mirror() == replace(axis, end=axis.effective_end)


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
def test_a_mirrored_convolution_computes_the_mirrored_output(
    axis: Axis, rows: list[int], taps: list[int]
) -> None:
    rows, taps = rows[: axis.size], taps[: axis.kernel]
    assert convolve(axis.mirror(), rows[::-1], taps[::-1]) == convolve(axis, rows, taps)[::-1]


@given(AXES_OF_THE_OUTPUT_OF_SAME.filter(lambda axis: axis.dilation < 3))
def test_with_the_output_of_same_every_kernel_of_dilation_1_or_2_has_a_widening(
    axis: Axis,
) -> None:
    """Of two rows that follow each other one is a multiple of 1 or 2."""
    assert axis.widening() is not None
