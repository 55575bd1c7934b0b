"""Does a convolution by computed weights become a product of matrices, to the bit?"""

from itertools import product

import numpy as np
import onnx
import pytest

from mmdet2tflite.graph.passes.computed_kernels import SpellOutComputedKernels
from tests.graph.passes.tiny import Done, apply, assert_same, build, integers, node


def correlate(
    weights: tuple[int, ...], image: tuple[int, ...], *, bias: str = "", **how: object
) -> tuple[onnx.ModelProto, Done]:
    """Weights are a constant times the sign of the map's first element: computed, and exact."""
    axes = list(range(len(image)))
    constants = {
        "w": integers(*weights, seed=1),
        "b": integers(weights[0], seed=2),
        "zeros": np.zeros(len(axes), np.int64),
        "ones": np.ones(len(axes), np.int64),
        "scalar": np.array([1], np.int64),
    }
    nodes = [
        node("Slice", ["x", "zeros", "ones"], ["first"]),
        node("Reshape", ["first", "scalar"], ["number"]),
        node("Sign", ["number"], ["sign"]),
        node("Mul", ["w", "sign"], ["weights"]),
        node("Mul", ["b", "sign"], ["computed"]),
        node("Conv", ["x", "weights", bias] if bias else ["x", "weights"], ["y"], name="c", **how),
    ]
    model = build(nodes, constants, image=image, outputs={"y": len(image)})
    return model, apply(SpellOutComputedKernels, model)


@pytest.mark.parametrize("bias", ["", "b", "computed"])
@pytest.mark.parametrize(
    ("weights", "channels", "groups"),
    [((4, 1, 3, 2), 4, 4), ((6, 4, 2, 3), 4, 1), ((6, 2, 2, 2), 4, 2), ((5, 4, 1, 1), 4, 1)],
    ids=["depthwise", "full", "grouped", "1x1"],
)
def test_it_computes_the_same(
    weights: tuple[int, ...], channels: int, groups: int, bias: str
) -> None:
    for strides, dilations, pads in product(
        ((1, 1), (2, 3)), ((1, 1), (2, 1)), ((0, 0, 0, 0), (1, 0, 2, 1))
    ):
        how = {"group": groups, "strides": strides, "dilations": dilations, "pads": pads}
        model, done = correlate(weights, (1, channels, 7, 8), bias=bias, **how)
        assert "Conv" not in done.ops
        assert done.ops.count("MatMul") == 1
        assert done.sentences == ["wrote Conv c, whose weights are computed, as a MatMul"]
        assert_same(model, done.model)


def test_a_batch_shares_its_weights() -> None:
    model, done = correlate((6, 4, 2, 3), (3, 4, 7, 8))
    assert "Conv" not in done.ops
    assert_same(model, done.model)


def test_a_row_of_one_axis() -> None:
    model, done = correlate((6, 2, 3), (1, 4, 9), group=2, pads=[1, 1])
    assert "Conv" not in done.ops
    assert_same(model, done.model)


def test_groups_and_a_batch_are_left() -> None:
    _, done = correlate((4, 1, 3, 3), (2, 4, 7, 8), group=4)
    assert done.sentences == [
        "left Conv c as it is: its weights are computed, and it has groups and a batch"
    ]


def test_constant_weights_stay() -> None:
    model = build([node("Conv", ["x", "w"], ["y"])], {"w": integers(3, 2, 3, 3)})
    assert apply(SpellOutComputedKernels, model).ops == ["Conv"]
