"""Does a dilated max pooling become maxima of shifted maps, to the bit?"""

from itertools import product

import numpy as np
import onnx_ir as ir
import pytest
import torch

from mmdet2tflite.graph.passes.dilated_pools import SpellOutDilatedPools
from tests.graph.passes.tiny import IMAGE, apply, assert_same, build, integers, node, run

NEGATIVE = -np.abs(integers(*IMAGE))


@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("dilations", [(2, 2), (3, 1), (1, 2)])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 3), (3, 2)])
def test_it_computes_the_same(
    kernel: tuple[int, int], dilations: tuple[int, int], strides: tuple[int, int]
) -> None:
    for begins, ends in product(((0, 0), (1, 1), (0, 1)), ((0, 0), (1, 1), (1, 0))):
        how = {"kernel_shape": kernel, "dilations": dilations, "strides": strides}
        model = build([node("MaxPool", ["x"], ["y"], name="m", pads=[*begins, *ends], **how)])
        done = apply(SpellOutDilatedPools, model)
        assert "MaxPool" not in done.ops
        assert_same(model, done.model, image=NEGATIVE)


def test_two_maxima_along_an_axis_are_what_pytorch_computes() -> None:
    how = {"kernel_shape": [3, 3], "dilations": [2, 2], "pads": [2, 2, 2, 2]}
    # PyTorch allows pads of half the kernel only; the map is padded beforehand.
    done = apply(SpellOutDilatedPools, build([node("MaxPool", ["x"], ["y"], name="m", **how)]))
    assert done.ops == ["Pad", *["Slice"] * 3, *["Max"] * 2, *["Slice"] * 3, *["Max"] * 2]
    assert done.sentences == ["wrote MaxPool m as maxima of shifted maps"]
    padded = torch.nn.functional.pad(torch.from_numpy(NEGATIVE), (2, 2, 2, 2), value=-torch.inf)
    wanted = torch.nn.functional.max_pool2d(padded, 3, 1, dilation=2).numpy()
    np.testing.assert_array_equal(run(ir.to_proto(done.model), NEGATIVE)["y"], wanted)


def test_a_dilation_of_one_tap_means_nothing() -> None:
    how = {"kernel_shape": [1, 2], "dilations": [3, 1], "strides": [2, 2]}
    model = build([node("MaxPool", ["x"], ["y"], **how)])
    done = apply(SpellOutDilatedPools, model)
    assert done.ops == ["MaxPool"]
    assert "dilations" not in done.one("MaxPool").attributes
    assert_same(model, done.model)


def test_indices_that_are_read_leave_it() -> None:
    pool = node("MaxPool", ["x"], ["y", "i"], name="m", kernel_shape=[2, 2], dilations=[2, 2])
    cast = node("Cast", ["i"], ["z"], to=1)
    done = apply(SpellOutDilatedPools, build([pool, cast], outputs={"y": 4, "z": 4}))
    assert done.sentences == ["left MaxPool m as it is: its indices are read"]


def test_another_window_that_does_not_say_its_kernel_is_no_concern_of_it() -> None:
    """A convolution may have dilations and leave its ``kernel_shape`` to the weights."""
    weights = np.ones((1, IMAGE[1], 2, 2), np.float32)
    model = build([node("Conv", ["x", "w"], ["y"], name="c", dilations=[2, 2])], {"w": weights})
    assert apply(SpellOutDilatedPools, model).ops == ["Conv"]
