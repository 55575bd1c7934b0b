"""Pad arithmetic by lists of rows: slow, and too simple to be wrong; random axes to compare."""

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import strategies as st

from mmdet2tflite.geometry import Axis, same_pads

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


def or_flipped(strategy: st.SearchStrategy[Axis]) -> st.SearchStrategy[Axis]:
    some = strategy.filter(reads_something)
    return some | some.map(Axis.flip)


SMALL = {
    "kernel": st.integers(1, 7),
    "stride": st.integers(1, 4),
    "dilation": st.integers(1, 3),
}
AXES = or_flipped(pads_of_any_output() | pads_of_the_output_of_same())
AXES_OF_THE_OUTPUT_OF_SAME = or_flipped(pads_of_the_output_of_same())
ROWS = st.lists(st.integers(-9, 9), min_size=30, max_size=30)
TAPS = st.lists(st.integers(-9, 9), min_size=7, max_size=7)
