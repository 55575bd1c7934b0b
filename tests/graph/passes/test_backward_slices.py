"""Does a Slice with negative steps become forward slices and whole reversals of the same map?"""

import numpy as np
import onnx
import pytest

from mmdet2tflite.graph.edit import constant
from mmdet2tflite.graph.passes.backward_slices import SplitBackwardSlices
from tests.graph.passes.tiny import Done, apply, assert_same, build, node

INT32_MIN, INT64_MIN = -(2**31), -(2**63)


def cut(
    starts: list[int],
    ends: list[int],
    axes: list[int] | None,
    steps: list[int] | None,
    dtype: type = np.int64,
) -> tuple[onnx.ModelProto, Done]:
    """A Slice of 1 x 2 x 7 x 8 before and after the pass."""
    given = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    constants = {name: np.array(each, dtype) for name, each in given.items() if each is not None}
    names = ["x", *(name if each is not None else "" for name, each in given.items())]
    while not names[-1]:
        names.pop()
    model = build([node("Slice", names, ["y"], name="s")], constants)
    return model, apply(SplitBackwardSlices, model)


def steps_of(done: Done) -> list[list[int]]:
    arrays = [constant(each.inputs[4]) for each in done.model.graph]
    return [array.tolist() for array in arrays if array is not None]


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        (([-1, -1], [INT64_MIN, INT64_MIN], [2, 3], [-1, -1]), [[-1], [-1]]),
        (([-1], [INT32_MIN], [2], [-2]), [[2], [-1]]),
        (([-1], [INT32_MIN], [3], [-3]), [[3], [-1]]),
        (([5], [1], [2], [-1]), [[1], [-1]]),
        (([6], [-8], [2], [-1]), [[-1]]),
        (([1, -2], [9, 0], [2, 3], [2, -2]), [[2, 2], [-1]]),
        (([0, -1, 6], [1, -3, 2], None, None), None),
        (([0, 1, 6, 7], [9, -9, 0, INT32_MIN], None, None), None),
        (([-1, -1], [-2, INT64_MIN], [2, 1], [-1, -1]), [[1], [-1]]),
        (([100], [INT64_MIN], [-1], [-7]), [[7], [-1]]),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_the_same_positions_are_read(slices: tuple, expected: list | None, dtype: type) -> None:
    starts, ends, axes, steps = slices
    if dtype is np.int32:
        ends = [max(end, INT32_MIN) for end in ends]
    if steps is None:
        steps = [-1 if start > end else 1 for start, end in zip(starts, ends, strict=True)]
        axes = list(range(len(starts)))
    model, done = cut(starts, ends, axes, steps, dtype)
    assert_same(model, done.model)
    if expected is not None:
        assert steps_of(done) == expected


@pytest.mark.parametrize("step", [1, 2, 3])
def test_what_runs_forwards_stays(step: int) -> None:
    _, done = cut([1], [7], [2], [step])
    assert done.ops == ["Slice"]
    assert done.sentences == []


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("end", [INT32_MIN, INT64_MIN])
def test_a_reversal_of_a_whole_axis_stays(axis: int, end: int) -> None:
    _, done = cut([-1], [end], [axis], [-1])
    assert done.ops == ["Slice"]
    assert done.sentences == []


def test_a_sentence_names_the_axes() -> None:
    _, done = cut([-1, -1], [INT64_MIN, INT64_MIN], [3, 2], [-1, -2])
    assert done.sentences == ["wrote Slice s with reversals along the axes [3, 2]"]
