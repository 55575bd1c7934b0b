"""What cannot compute on rotated maps has them flipped back before it, and says why."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.rotation.rotate import rotate_graph
from mmdet2tflite.graph.window_operators import find_window_operators
from tests.graph.rotation.nets import Net, check, count

type Build = Callable[[Net, str], str]


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def first(values: list[str]) -> str:
    return values[0]


def channels_last(net: Net, x: str) -> str:
    """Rows become the second axis, where operators keep their channels."""
    return net.op("Transpose", x, perm=[0, 2, 3, 1])


REFUSED: dict[str, tuple[Build, str]] = {
    "Flatten of channels, rows and columns": (
        lambda n, x: n.op("Flatten", x),
        "v0, before Flatten_1 (Flatten), which merges axes 1, 2, 3, of which only 2, 3 are "
        "reversed",
    ),
    "Reshape to groups of channels": (
        lambda n, x: n.op("Reshape", x, ints(1, 2, -1)),
        "v0, before Reshape_1 (Reshape), which merges axes 1, 2, 3, of which only 2, 3 are "
        "reversed",
    ),
    "rows merge with channels": (
        lambda n, x: n.op("Reshape", x, ints(1, -1, 5)),
        "v0, before Reshape_1 (Reshape), which merges axes 1, 2, of which only 2 are reversed",
    ),
    "an operator without a rule": (
        lambda n, x: n.op("DepthToSpace", x, blocksize=2),
        "v0, before DepthToSpace_1 (DepthToSpace), which has no mirrored form",
    ),
    "CumSum": (
        lambda n, x: n.op("CumSum", x, np.array(2, np.int64)),
        "v0, before CumSum_1 (CumSum), which has no mirrored form",
    ),
    "computed weights": (
        lambda n, x: n.op("Conv", x, n.op("Tile", n.integers(1, 4, 2, 2), ints(3, 1, 1, 1))),
        "v0, before Conv_2 (Conv), which computes its weights",
    ),
    "a convolution over rows as channels": (
        lambda n, x: n.conv(channels_last(n, x), 6, 2, (1, 2)),
        "v1, before Conv_2 (Conv), which needs batch and channels upright",
    ),
    "a convolution over one axis": (
        lambda n, x: n.op(
            "Conv",
            n.op("Squeeze", n.op("ReduceMax", x, ints(2)), ints(2)),
            n.integers(2, 4, 3),
        ),
        "v2, before Conv_3 (Conv), which does not convolve over rows and columns",
    ),
    "a pooling over one axis": (
        lambda n, x: n.op("MaxPool", n.op("ReduceMax", x, ints(2), keepdims=0), kernel_shape=[2]),
        "v1, before MaxPool_2 (MaxPool), which does not pool over rows and columns",
    ),
    "a pooling with positions": (
        lambda n, x: first(n.op("MaxPool", x, kernel_shape=[2, 2], outputs=2)),
        "v0, before MaxPool_1 (MaxPool), which gives the positions of its maxima too",
    ),
    "an output padding beyond the end pad": (
        lambda n, x: n.op(
            "ConvTranspose", x, n.integers(4, 2, 3, 3), strides=[2, 2], output_padding=[1, 0]
        ),
        "v0, before ConvTranspose_1 (ConvTranspose), which has an output padding larger than its "
        "end pad",
    ),
    "auto_pad of a transposed convolution": (
        lambda n, x: n.op(
            "ConvTranspose", x, n.integers(4, 2, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"
        ),
        "v0, before ConvTranspose_1 (ConvTranspose), which has auto_pad SAME_UPPER",
    ),
    "parameters per row": (
        lambda n, x: n.op(
            "InstanceNormalization", channels_last(n, x), n.integers(6), n.integers(6)
        ),
        "v1, before InstanceNormalization_2 (InstanceNormalization), which has parameters per "
        "channel",
    ),
    "LRN over rows": (
        lambda n, x: n.op("LRN", channels_last(n, x), size=3),
        "v1, before LRN_2 (LRN), which has parameters per channel",
    ),
    "statistics of a normalisation": (
        lambda n, x: first(n.op("LayerNormalization", x, n.integers(5), outputs=2)),
        "v0, before LayerNormalization_1 (LayerNormalization), which gives its statistics too",
    ),
    "ArgMax over columns": (
        lambda n, x: n.op("ArgMax", x, axis=3),
        "v0, before ArgMax_1 (ArgMax), which gives positions along axis 3",
    ),
    "computed slices": (
        lambda n, x: n.op("Slice", x, n.op("Neg", ints(3)), ints(5), ints(2)),
        "v0, before Slice_2 (Slice), which computes where it slices",
    ),
    "computed pads": (
        lambda n, x: n.op("Pad", x, n.op("Abs", ints(0, 0, 0, 1, 0, 0, 0, 2))),
        "v0, before Pad_2 (Pad), which computes its pads",
    ),
    "computed sizes of parts": (
        lambda n, x: first(n.op("Split", x, n.op("Abs", ints(1, 5)), outputs=2, axis=2)),
        "v0, before Split_2 (Split), which computes the sizes of its parts",
    ),
    "computed axes": (
        lambda n, x: n.op("ReduceMax", x, n.op("Abs", ints(2, 3))),
        "v0, before ReduceMax_2 (ReduceMax), which computes the axes that it reduces",
    ),
    "computed scales": (
        lambda n, x: n.op("Resize", x, "", n.op("Abs", np.array([1.0, 1, 2, 2]))),
        "v0, before Resize_2 (Resize), which computes its scales",
    ),
    "computed positions": (
        lambda n, x: n.op("Gather", x, n.op("Abs", ints(0, 3)), axis=2),
        "v0, before Gather_2 (Gather), which computes which positions it picks",
    ),
    "reversed positions": (
        lambda n, x: n.op(
            "Gather",
            n.integers(7),
            n.op("Cast", n.op("Sign", n.op("Abs", x)), to=7),
        ),
        "v3, before Gather_4 (Gather), which needs its parameters upright",
    ),
}
SHAPES = {
    "computed weights": (1, 3, 5, 4),
    "computed slices": (1, 4, 2, 5),
    "computed pads": (1, 4, 6, 8),
    "computed sizes of parts": (1, 4, 1, 5),
    "computed axes": (1, 4, 1, 1),
    "computed scales": (1, 4, 12, 10),
    "CumSum": (1, 4, 6, 5),
}
"""Which onnx infers from constants only."""


def build(name: str) -> tuple[Net, str]:
    net = Net(1, 2, 6, 5)
    end = REFUSED[name][0](net, net.stem())
    if name in SHAPES:
        net.shapes[end] = SHAPES[name]
        if end.endswith("_0"):
            net.shapes[end[:-1] + "1"] = (1, 4, 5, 5)
    return net, end


@pytest.mark.parametrize("name", REFUSED)
def test_its_input_is_flipped_back_with_the_reason(name: str) -> None:
    net, end = build(name)
    found = check(net.model(end), tolerance=1e-6)
    assert found.inner_flips[0] == REFUSED[name][1]
    assert all("at the graph's output" in each for each in found.inner_flips[1:])


def test_an_operator_of_another_domain_is_not_taken_for_that_of_the_standard() -> None:
    net = Net(1, 2, 6, 5)
    model = ir.from_proto(net.model(net.op("Relu", net.stem())))
    model.graph[1].domain = "custom"
    found = rotate_graph(model, find_window_operators(model.graph))
    assert found.inner_flips == ("v0, before Relu_1 (Relu), which has no mirrored form",)


def test_only_the_axes_that_do_not_fit_are_flipped_back() -> None:
    net = Net(1, 2, 6, 5)
    merged = net.op("Reshape", net.stem(), ints(1, 24, 5))
    end = net.op("Reshape", merged, ints(1, 24, 1, 5))
    slices = []
    found = check(net.model(end), look=lambda model: slices.append(count(model, "Slice")))
    assert slices == [1]
    assert found.rotated_outputs == ("v2",)


def test_a_value_is_flipped_once_for_all_its_readers() -> None:
    net = Net(1, 2, 6, 5)
    x = net.stem()
    slices = []
    ends = [net.op("Flatten", x), net.op("Flatten", x, axis=0), net.op("Hardmax", x)]
    found = check(net.model(*ends), look=lambda model: slices.append(count(model, "Slice")))
    assert slices == [2]
    assert len(found.inner_flips) == 1


def test_of_several_copies_the_nearest_is_flipped() -> None:
    net = Net(1, 2, 6, 5)
    split = net.op("Reshape", net.stem(), ints(1, 4, 2, 3, 5))
    x = net.op("Transpose", split, perm=[0, 4, 1, 2, 3])
    ends = [net.op("Hardmax", x, axis=1), net.op("Reshape", x, ints(1, 5, 24))]
    slices = []
    check(net.model(*ends), look=lambda model: slices.append(count(model, "Slice")))
    # Three axes until x is unflipped, one more for columns alone, and one at the output.
    assert slices == [5]


def test_a_window_behind_an_unflipped_operator_keeps_its_geometry() -> None:
    net = Net(1, 2, 6, 5)
    x = net.op("DepthToSpace", net.stem(), blocksize=2)
    found = check(net.model(net.conv(x, 1, 2, (3, 3), strides=[2, 2], pads=[1, 1, 0, 0])))
    height, width = found.windows["Conv_2"].axes
    assert (height.begin, height.end, width.begin, width.end) == (1, 0, 1, 0)
    assert found.rotated_outputs == ()


def test_the_image_itself_is_flipped_once() -> None:
    net = Net(1, 2, 6, 5)
    ends = [net.stem(), net.op("Flatten", "image"), net.op("CumSum", "image", np.array(2))]
    net.shapes[ends[-1]] = (1, 2, 6, 5)
    found = check(net.model(*ends))
    assert found.rotated_input
    assert found.inner_flips == (
        "image, before Flatten_1 (Flatten), which merges axes 1, 2, 3, of which only 2, 3 are "
        "reversed",
    )


def test_a_constant_operand_is_no_reason_to_turn_anything() -> None:
    net = Net(1, 2, 6, 5)
    x = net.op("DepthToSpace", net.stem(), blocksize=2)
    assert len(check(net.model(net.op("Add", x, net.integers(12, 10)))).inner_flips) == 1


def test_control_flow_is_refused_by_name() -> None:
    branch = ir.Graph([], [], nodes=[], name="branch")
    node = ir.node("If", [], {"then_branch": ir.AttrGraph("then_branch", branch)}, name="choice")
    with pytest.raises(ModelError, match="control flow: If choice"):
        rotate_graph(ir.Model(ir.Graph([], [], nodes=[node]), ir_version=9), [])
