"""Do Slices that share out the channels of a map become one Split, and no others?"""

import numpy as np
import pytest

from mmdet2tflite.graph.edit import constant
from mmdet2tflite.graph.passes.sibling_slices import JoinSiblingSlices
from tests.graph.passes.tiny import Done, apply, assert_same, build, node

CHANNELS = 1


def sliced(
    *parts: tuple[int, int],
    axis: int = CHANNELS,
    step: int = 1,
    image: tuple[int, ...] = (1, 7, 4, 8),
) -> Done:
    """Of a map, a Slice for each part; all are outputs. It computes the same afterwards."""
    constants = {"axes": np.array([axis]), "steps": np.array([step])}
    nodes = [node("Abs", ["x"], ["a"])]
    for number, (start, end) in enumerate(parts):
        constants |= {f"s{number}": np.array([start]), f"e{number}": np.array([end])}
        inputs = ["a", f"s{number}", f"e{number}", "axes", "steps"]
        nodes.append(node("Slice", inputs, [f"y{number}"], name=f"n{number}"))
    outputs = {f"y{number}": len(image) for number in range(len(parts))}
    model = build(nodes, constants, image=image, outputs=outputs)
    done = apply(JoinSiblingSlices, model)
    assert_same(model, done.model)
    return done


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        ([(0, 3), (3, 7)], [3, 4]),
        ([(3, 7), (0, 3)], [3, 4]),
        ([(5, 2**63 - 1), (0, 2), (2, 5)], [2, 3, 2]),
        ([(0, -4), (-4, 7)], [3, 4]),
    ],
    ids=str,
)
def test_parts_that_follow_one_another_are_one_split(
    parts: list[tuple[int, int]], sizes: list[int]
) -> None:
    done = sliced(*parts)
    assert done.ops == ["Abs", "Split"]
    assert [value.name for value in done.model.graph.outputs] == [
        f"y{n}" for n in range(len(parts))
    ]
    given = constant(done.one("Split").inputs[1])
    assert given is not None
    assert given.tolist() == sizes
    assert "joined Slice" in done.sentences[0]


@pytest.mark.parametrize(
    "parts",
    [
        [(0, 3), (4, 7)],
        [(0, 4), (3, 7)],
        [(1, 3), (3, 7)],
        [(0, 3), (3, 6)],
        [(0, 7)],
        [(0, 3), (0, 3), (3, 7)],
    ],
    ids=["a gap", "an overlap", "not the first", "not the last", "one", "one twice"],
)
def test_parts_that_do_not_share_out_the_channels_stay(parts: list[tuple[int, int]]) -> None:
    assert sliced(*parts).ops == ["Abs", *("Slice" for _ in parts)]


def test_so_do_those_of_another_axis_another_step_or_another_rank() -> None:
    assert "Split" not in sliced((0, 2), (2, 4), axis=2).ops
    assert "Split" not in sliced((0, 7), (1, 7), step=2).ops
    assert "Split" not in sliced((0, 3), (3, 7), image=(1, 7, 8)).ops
