"""Does a pooling without ceil_mode compute what it computed with it?"""

from itertools import product

import numpy as np
import onnx_ir as ir
import pytest
import torch

from mmdet2tflite.graph.passes.ceil_mode import ResolveCeilMode
from tests.graph.passes.tiny import IMAGE, apply, assert_same, build, integers, node, run

ROUNDING = 2 * np.finfo(np.float32).eps
"""Sums of integers are exact; the division rounds once in each model."""


def pools(op_type: str, **more: int) -> list:
    """Windows of 1-3 rows on 5 and 6 rows, where ONNX Runtime takes the pads."""
    found = []
    for (kernel, stride), (begin, end) in product(
        product((1, 2, 3), (1, 2, 3)), ((0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (1, 2))
    ):
        if max(begin, end) < kernel:
            pads = [begin, 0, end, 0]
            name = f"k{kernel}s{stride}p{begin}{end}"
            attributes = {"kernel_shape": [kernel, 2], "strides": [stride, 2], "pads": pads}
            found.append(node(op_type, ["x"], ["y"], name=name, ceil_mode=1, **attributes, **more))
    return found


@pytest.mark.parametrize("size", [5, 6])
@pytest.mark.parametrize("pool", pools("MaxPool"), ids=lambda pool: pool.name)
def test_max_pool_computes_the_same(pool, size: int) -> None:
    model = build([pool], image=(1, 1, size, 7))
    done = apply(ResolveCeilMode, model)
    assert done.ops == ["MaxPool"]
    assert_same(model, done.model)


@pytest.mark.parametrize("opset", [13, 19])
@pytest.mark.parametrize("size", [5, 6])
@pytest.mark.parametrize(
    "pool",
    pools("AveragePool") + pools("AveragePool", count_include_pad=1),
    ids=lambda pool: pool.name,
)
def test_average_pool_computes_the_same(pool, size: int, opset: int) -> None:
    model = build([pool], image=(1, 1, size, 7), opset=opset)
    done = apply(ResolveCeilMode, model)
    # Of older opsets, ONNX Runtime itself is wrong where the pool counts its padding.
    assert_same(build([pool], image=(1, 1, size, 7), opset=19), done.model, relative=ROUNDING)


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("opset", [13, 19, 21])
@pytest.mark.parametrize("channels", [3, 8, 16])
def test_average_pool_is_that_of_pytorch(channels: int, opset: int, counts: bool) -> None:
    image = integers(1, channels, 7, 10)
    for kernel, stride, pad in product((2, 3, 4), (1, 2, 3), (0, 1, 2)):
        if 2 * pad > kernel:
            continue
        attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        flags = {"ceil_mode": 1, "count_include_pad": int(counts)}
        pool = node("AveragePool", ["x"], ["y"], **attributes, **flags)
        done = apply(ResolveCeilMode, build([pool], image=image.shape, opset=opset))
        found = run(ir.to_proto(done.model), image)["y"]
        wanted = torch.nn.functional.avg_pool2d(
            torch.from_numpy(image), kernel, stride, pad, ceil_mode=True, count_include_pad=counts
        )
        np.testing.assert_allclose(found, wanted.numpy(), atol=5 * ROUNDING)


def test_dilated_max_pool_computes_the_same() -> None:
    attributes = {"kernel_shape": [2, 2], "strides": [2, 3], "dilations": [2, 3]}
    model = build([node("MaxPool", ["x"], ["y"], ceil_mode=1, **attributes)], image=(1, 1, 8, 9))
    done = apply(ResolveCeilMode, model)
    assert_same(model, done.model)
    assert done.one("MaxPool").attributes["pads"].as_ints() == (0, 0, 1, 1)


def test_pads_as_large_as_the_kernel_of_a_max_pool_become_a_pad() -> None:
    # K = 5; ceil((7 - 5) / 4) + 1 = 2 windows; the second ends at row 9, 2 rows after the last.
    attributes = {"kernel_shape": [2, 1], "strides": [4, 1], "dilations": [4, 1]}
    model = build([node("MaxPool", ["x"], ["y"], name="m", ceil_mode=1, **attributes)])
    done = apply(ResolveCeilMode, model)
    assert done.ops == ["Pad", "MaxPool"]
    assert done.sentences == [
        "wrote ceil_mode of MaxPool m as pads [0, 0, 0, 0] behind a Pad by [0, 0, 2, 0]"
    ]
    assert_same(model, done.model, image=-np.abs(integers(*IMAGE)))


def test_pads_as_large_as_the_kernel_of_an_average_pool_leave_it_in_ceil_mode() -> None:
    attributes = {"kernel_shape": [2, 1], "strides": [4, 1], "dilations": [4, 1]}
    nodes = [node("AveragePool", ["x"], ["y"], name="a", ceil_mode=1, **attributes)]
    done = apply(ResolveCeilMode, build(nodes, opset=19))
    assert done.sentences == [
        "left AveragePool a as it is: it would need pads [0, 0, 2, 0], larger than its kernel"
    ]


def test_own_pads_that_count_go_into_a_pad() -> None:
    # 6 rows, kernel 3, stride 2, pads 1 and 1: ceil((8 - 3) / 2) + 1 = 4 windows need 9 rows.
    attributes = {"kernel_shape": [3, 1], "strides": [2, 1], "pads": [1, 0, 1, 0]}
    nodes = [
        node("AveragePool", ["x"], ["y"], name="a", ceil_mode=1, count_include_pad=1, **attributes)
    ]
    model = build(nodes, image=(1, 1, 6, 5), opset=19)
    done = apply(ResolveCeilMode, model)
    assert done.ops == ["Pad", "AveragePool"]
    assert done.sentences == [
        "wrote ceil_mode of AveragePool a as pads [0, 0, 1, 0] behind a Pad by [1, 0, 1, 0]"
    ]
    assert_same(model, done.model, relative=ROUNDING)


def test_where_every_window_fits_only_the_flag_goes() -> None:
    attributes = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [
        node("AveragePool", ["x"], ["y"], name="a", ceil_mode=1, count_include_pad=1, **attributes)
    ]
    done = apply(ResolveCeilMode, build(nodes, opset=19))
    assert done.ops == ["AveragePool"]
    assert done.sentences == ["wrote ceil_mode of AveragePool a as pads [1, 1, 1, 1]"]
    assert done.one("AveragePool").attributes["count_include_pad"].as_int() == 1
