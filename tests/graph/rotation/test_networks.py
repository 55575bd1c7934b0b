"""Blocks that detectors and classifiers are made of: how many flips each needs inside."""

import numpy as np
import pytest

from mmdet2tflite.graph.rotation.rotate import RotatedGraph
from tests.graph.rotation.nets import Net, check

ROUNDING = 1e-5


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def down(net: Net, x: str, channels: int, into: int) -> str:
    """PyTorch's 3x3 at stride 2, as a detector's backbone has it."""
    conv = net.conv(x, channels, into, (3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    return net.op("Relu", conv)


def pyramid(net: Net) -> list[tuple[str, int, int]]:
    """Three levels of 4 channels, as name, rows, columns."""
    x, levels = down(net, "image", 3, 4), []
    rows, columns = net.shape[2] // 2, net.shape[3] // 2
    for _ in range(3):
        x, rows, columns = down(net, x, 4, 4), rows // 2, columns // 2
        levels.append((x, rows, columns))
    return levels


def geometry(found: RotatedGraph) -> bool:
    return all(window.is_same for window in found.windows.values())


def test_the_head_of_yolox_is_decoded_flipped_and_flipped_back_once_at_its_end() -> None:
    net = Net(1, 3, 32, 48)
    levels, grids, strides = [], [], []
    for number, (x, rows, columns) in enumerate(pyramid(net)):
        box, score = (net.conv(x, 4, into, (1, 1)) for into in (4, 3))
        joined = net.op("Concat", box, net.op("HardSigmoid", score), axis=1)
        levels.append(net.op("Reshape", joined, ints(1, 7, rows * columns)))
        grids.append(np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2))
        strides.append(np.full((rows * columns, 1), 4.0 * 2**number))
    grid, stride = np.concatenate(grids)[None].astype(float), np.concatenate(strides)[None]
    x = net.op("Transpose", net.op("Concat", *levels, axis=2), perm=[0, 2, 1])
    centre = net.op("Slice", x, ints(0), ints(2), ints(2))
    size = net.op("Slice", x, ints(2), ints(4), ints(2))
    scores = net.op("Slice", x, ints(4), ints(7), ints(-1))
    centre = net.op("Mul", net.op("Add", centre, grid), stride)
    size = net.op("Mul", net.op("Exp", net.op("Clip", size, -3.0, 3.0)), stride)
    end = net.op("Concat", centre, size, scores, axis=-1)
    found = check(net.model(end), ROUNDING)
    assert found.inner_flips == (f"{end}, at the graph's output",)
    assert geometry(found)


def test_maps_of_three_levels_stay_flipped() -> None:
    net = Net(1, 3, 32, 48)
    ends = [net.conv(x, 4, 3, (3, 3), pads=[1, 1, 1, 1]) for x, _, _ in pyramid(net)]
    found = check(net.model(*ends))
    assert (found.rotated_outputs, found.inner_flips) == (tuple(ends), ())
    assert geometry(found)


def test_a_feature_pyramid_with_nearest_upsampling() -> None:
    net = Net(1, 3, 32, 48)
    above, ends = None, []
    for x, _, _ in reversed(pyramid(net)):
        x = net.op("Sign", net.conv(x, 4, 4, (1, 1)))
        if above:
            scales = np.array([1.0, 1, 2, 2])
            how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            x = net.op("Add", x, net.op("Resize", above, "", scales, **how))
        above = x
        ends.append(net.conv(x, 4, 4, (3, 3), pads=[1, 1, 1, 1]))
    found = check(net.model(*ends))
    assert (found.rotated_outputs, found.inner_flips) == (tuple(ends), ())


def test_focus_of_strided_slices() -> None:
    net = Net(1, 3, 8, 12)
    stop = np.iinfo(np.int64).max
    parts = [
        net.op("Slice", net.op("Slice", "image", ints(y), ints(stop), ints(2), ints(2)),
               ints(x), ints(stop), ints(3), ints(2))
        for x in (0, 1) for y in (0, 1)
    ]  # fmt: skip
    end = down(net, net.op("Concat", *parts, axis=1), 12, 4)
    assert check(net.model(end)).inner_flips == ()


def test_channel_shuffle() -> None:
    net = Net(1, 3, 8, 12)
    x = down(net, "image", 3, 6)
    x = net.op("Reshape", x, ints(1, 2, 3, 4, 6))
    x = net.op("Reshape", net.op("Transpose", x, perm=[0, 2, 1, 3, 4]), ints(1, 6, 4, 6))
    left, right = net.op("Split", x, ints(2, 4), outputs=2, axis=1)
    end = net.op("Concat", right, down_one(net, left), axis=1)
    assert check(net.model(end)).inner_flips == ()


def down_one(net: Net, x: str) -> str:
    return net.conv(x, 2, 2, (3, 3), group=2, pads=[1, 1, 1, 1])


def test_squeeze_and_excitation() -> None:
    net = Net(1, 3, 8, 12)
    x = down(net, "image", 3, 4)
    pooled = net.op("ReduceMean", x, ints(-1, -2), keepdims=1)
    gate = net.op(
        "HardSigmoid", net.conv(net.op("Relu", net.conv(pooled, 4, 2, (1, 1))), 2, 4, (1, 1))
    )
    assert check(net.model(net.op("Mul", x, gate)), ROUNDING).inner_flips == ()


def test_a_classifier_with_global_pooling_turns_nothing() -> None:
    net = Net(1, 3, 8, 12)
    x = net.op("GlobalAveragePool", down(net, "image", 3, 4))
    end = net.op("Gemm", net.op("Flatten", x), net.integers(10, 4), net.integers(10), transB=1)
    found = check(net.model(end), ROUNDING)
    assert (found.rotated_input, found.rotated_outputs, found.inner_flips) == (True, (), ())


def test_a_classifier_that_flattens_maps_turns_one() -> None:
    net = Net(1, 3, 8, 12)
    x = net.op("Flatten", down(net, "image", 3, 4))
    end = net.op("Gemm", x, net.integers(96, 10), net.integers(10))
    (reversal,) = check(net.model(end)).inner_flips
    assert reversal.startswith("v1, before Flatten_2")


def test_attention_over_all_positions_is_computed_flipped() -> None:
    net = Net(1, 3, 8, 12)
    x = down(net, "image", 3, 4)
    query, key, value = (
        net.op("Reshape", net.conv(x, 4, 4, (1, 1)), ints(1, 4, 24)) for _ in range(3)
    )
    scores = net.op("MatMul", net.op("Transpose", query, perm=[0, 2, 1]), key)
    weights = net.op("Softmax", net.op("Mul", scores, 0.01), axis=-1)
    mixed = net.op("MatMul", value, net.op("Transpose", weights, perm=[0, 2, 1]))
    end = net.op("Add", x, net.op("Reshape", mixed, ints(1, 4, 4, 6)))
    assert check(net.model(end), ROUNDING).inner_flips == ()


def group_normalization(net: Net, x: str, groups: int, *shape: int) -> str:
    """As PyTorch exports it; ``shape``: what it restores."""
    rows = net.op("Reshape", x, ints(0, groups, -1))
    normal = net.op("InstanceNormalization", rows, net.integers(groups), net.integers(groups))
    return net.op("Reshape", normal, ints(*shape))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_group_normalization_is_computed_flipped(groups: int) -> None:
    net = Net(2, 3, 8, 12)
    x = down(net, "image", 3, 4)
    y = net.op("Mul", group_normalization(net, x, groups, 2, 4, 4, 6), net.integers(4, 1, 1))
    end = net.conv(net.op("Add", x, y), 4, 2, (3, 3), pads=[1, 1, 1, 1])
    assert check(net.model(end), ROUNDING).inner_flips == ()


@pytest.mark.parametrize(
    ("groups", "shape", "also"),  # also: what another reads
    [
        (2, (1, 4, 4, 6), "the groups"),
        (2, (1, 4, 4, 6), "the normalised groups"),
        (2, (1, 6, 4, 4), ""),
        (3, (1, 4, 4, 6), ""),
        (8, (1, 4, 4, 6), ""),
    ],
)
def test_what_only_begins_like_group_normalization_is_computed_unflipped(
    groups: int, shape: tuple[int, ...], also: str
) -> None:
    net = Net(1, 3, 8, 12)
    end = group_normalization(net, down(net, "image", 3, 4), groups, *shape)
    rows, normal = net.nodes[-3].output[0], net.nodes[-2].output[0]
    others = [net.op("Relu", rows)] if also == "the groups" else []
    if also == "the normalised groups":
        others = [normal]
    assert len(check(net.model(end, *others), ROUNDING).inner_flips) == 1


def test_a_residual_network_crops_its_shortcuts() -> None:
    net = Net(1, 3, 16, 24)
    x = net.conv("image", 3, 4, (7, 7), strides=[2, 2], pads=[3, 3, 3, 3])
    x = net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    main = net.conv(down(net, x, 4, 4), 4, 4, (3, 3), pads=[1, 1, 1, 1])
    end = net.op("Relu", net.op("Add", main, net.conv(x, 4, 4, (1, 1), strides=[2, 2])))
    found = check(net.model(end))
    assert found.inner_flips == ()
    assert [window.is_same for window in found.windows.values()] == [True, True, True, True, False]
