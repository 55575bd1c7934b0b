"""Every operator with a rule computes on rotated maps, without a flips before it."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.graph.rotation.nets import SIZES, Net, check

type Build = Callable[[Net, str], object]
"""Adds the operator behind a map of 1 x 4 x H x W; returns the outputs."""

LAST = np.iinfo(np.int64).max


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def like(net: Net, *leading: int) -> np.ndarray:
    """A constant with rows and columns of its own."""
    return net.integers(*leading, *net.shape[2:])


def four_times(net: Net, x: str) -> str:
    """At least two rows and two columns."""
    return net.op("Tile", x, ints(1, 1, 2, 2))


def cut(net: Net, x: str, starts: list[int], ends: list[int], steps: list[int]) -> str:
    """Of rows and columns, counted from the end."""
    return net.op("Slice", x, ints(*starts), ints(*ends), ints(-2, -1), ints(*steps))


WINDOWS: dict[str, Build] = {
    "conv 3x3": lambda n, x: n.conv(x, 4, 3, (3, 3), pads=[1, 1, 1, 1]),
    "conv 3x3 stride 2": lambda n, x: n.conv(x, 4, 3, (3, 3), strides=[2, 2], pads=[1, 1, 1, 1]),
    "conv 1x1 stride 2, which skips rows": lambda n, x: n.conv(x, 4, 3, (1, 1), strides=[2, 2]),
    "conv 3x2 dilated, uneven pads": lambda n, x: n.conv(
        x, 4, 3, (3, 2), dilations=[2, 1], pads=[3, 0, 1, 2]
    ),
    "depthwise conv 5x5": lambda n, x: n.conv(
        x, 4, 4, (5, 5), group=4, strides=[2, 1], pads=[2, 2, 2, 2]
    ),
    "MaxPool": lambda n, x: n.op(
        "MaxPool", x, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1]
    ),
    "AveragePool": lambda n, x: n.op(
        "AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1]
    ),
    "AveragePool that counts pads": lambda n, x: n.op(
        "AveragePool", x, kernel_shape=[2, 2], pads=[1, 0, 0, 1], count_include_pad=1
    ),
    "GlobalMaxPool": lambda n, x: n.op("GlobalMaxPool", x),
    "GlobalAveragePool": lambda n, x: n.op("GlobalAveragePool", n.op("Sign", x)),
}
TRANSPOSED: dict[str, dict] = {
    "kernel = stride": {"kernel": (2, 2), "strides": [2, 2]},
    "uneven pads": {"kernel": (4, 3), "strides": [2, 2], "pads": [2, 0, 1, 1]},
    "output padding": {
        **{"kernel": (3, 3), "strides": [2, 2], "pads": [1, 1, 1, 1]},
        **{"output_padding": [1, 1]},
    },
    "dilation and groups": {"kernel": (2, 3), "dilations": [2, 1], "group": 2},
    "auto_pad VALID": {"kernel": (3, 3), "strides": [2, 2], "auto_pad": "VALID"},
}
MATHS = (
    *("Relu", "Neg", "Abs", "Sign", "Floor", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish"),
    *("Tanh", "Elu", "Selu", "Softplus", "Erf", "Mish", "Round", "Identity"),
    *("ThresholdedRelu", "Celu", "Softsign", "Cos", "Dropout"),
)
POINTWISE: dict[str, Build] = {
    **{kind: lambda n, x, kind=kind: n.op(kind, x) for kind in MATHS},
    "Clip": lambda n, x: n.op("Clip", x, -3.0, 5.0),
    "Reciprocal": lambda n, x: n.op("Reciprocal", n.op("Exp", n.op("Sign", x))),
    "Exp and Sqrt": lambda n, x: n.op("Sqrt", n.op("Exp", n.op("Sign", x))),
    "Cast": lambda n, x: n.op("Cast", n.op("Cast", x, to=6), to=1),
    "Softmax over channels": lambda n, x: n.op("Softmax", x, axis=1),
    "LRN": lambda n, x: n.op("LRN", x, size=3),
}
WHOLE_AXES: dict[str, Build] = {
    "Softmax over columns": lambda n, x: n.op("Softmax", x, axis=-1),
    "LogSoftmax over rows": lambda n, x: n.op("LogSoftmax", x, axis=2),
    "InstanceNormalization": lambda n, x: n.op(
        "InstanceNormalization", x, n.integers(4), n.integers(4)
    ),
    "LayerNormalization over columns": lambda n, x: n.op(
        "LayerNormalization", x, like(n)[0], like(n)[1 % n.shape[2]]
    ),
    "LayerNormalization over channels": lambda n, x: n.op(
        "Transpose",
        n.op(
            "LayerNormalization",
            n.op("Transpose", x, perm=[0, 2, 3, 1]),
            *(n.integers(4), n.integers(4)),
        ),
        perm=[0, 3, 1, 2],
    ),
    "ReduceL2": lambda n, x: n.op("ReduceL2", x, ints(1, 3)),
    "ReduceLogSumExp": lambda n, x: n.op("ReduceLogSumExp", x, ints(2)),
}
BROADCASTING: dict[str, Build] = {
    "a scalar": lambda n, x: n.op("Mul", x, 2.0),
    "per channel": lambda n, x: n.op("Add", x, n.integers(4, 1, 1)),
    "a map of constants": lambda n, x: n.op("Add", like(n, 1, 1), x),
    "a column of constants, of lower rank": lambda n, x: n.op("Sub", like(n)[:, :1], x),
    "constants of higher rank": lambda n, x: n.op(
        "Squeeze", n.op("Max", x, like(n, 1, 1, 4)), ints(0)
    ),
    "the map and its mean": lambda n, x: n.op("Sub", x, n.op("ReduceSum", x, ints(2, 3))),
    "the map and its rows": lambda n, x: n.op("Add", x, n.op("ReduceMax", x, ints(3))),
    "two maps": lambda n, x: n.op("Mul", x, n.conv(x, 4, 4, (3, 3), pads=[1, 1, 1, 1])),
    "three operands": lambda n, x: n.op("Sum", x, like(n), n.op("Relu", x)),
    "Where": lambda n, x: n.op("Where", n.op("Greater", x, like(n, 4)), x, like(n, 1)),
    "PRelu": lambda n, x: n.op("PRelu", x, like(n, 4)),
    "Pow": lambda n, x: n.op("Pow", x, 2.0),
    "one value twice": lambda n, x: n.op("Add", x, x),
}
REDUCTIONS: dict[str, Build] = {
    "ReduceMean over rows and columns": lambda n, x: n.op("ReduceMean", n.op("Sign", x), ints(2)),
    "ReduceMax over channels, kept": lambda n, x: n.op("ReduceMax", x, ints(1)),
    "ReduceMin over channels, removed": lambda n, x: n.op("ReduceMin", x, ints(1), keepdims=0),
    "ReduceSum over columns from the end": lambda n, x: n.op("ReduceSum", x, ints(-1), keepdims=0),
    "ReduceProd over everything": lambda n, x: n.op("ReduceProd", n.op("Sign", x)),
    "ReduceSum over nothing": lambda n, x: n.op("ReduceSum", x, noop_with_empty_axes=1),
    "ArgMax over channels, kept": lambda n, x: n.op(
        "Cast", n.op("ArgMax", x, axis=1, keepdims=1), to=1
    ),
    "ArgMin over channels, removed": lambda n, x: n.op("ArgMin", x, axis=-3, keepdims=0),
}
AXES: dict[str, Build] = {
    "Transpose": lambda n, x: n.op("Transpose", x, perm=[3, 0, 2, 1]),
    "Transpose without an order": lambda n, x: n.op("Transpose", x),
    "rows and columns merge": lambda n, x: n.op("Reshape", x, ints(1, 4, -1)),
    "rows and columns swap and merge": lambda n, x: n.op(
        "Reshape", n.op("Transpose", x, perm=[0, 3, 2, 1]), ints(-1, 4)
    ),
    "channels split": lambda n, x: n.op("Reshape", x, ints(1, 2, 2, *n.shape[2:])),
    "everything splits and merges again": lambda n, x: n.op(
        "Reshape", n.op("Reshape", x, ints(2, 2, -1)), ints(1, 4, *n.shape[2:])
    ),
    "Unsqueeze and Squeeze": lambda n, x: n.op("Squeeze", n.op("Unsqueeze", x, ints(2)), ints(0)),
    "Flatten behind a transposition": lambda n, x: n.op(
        "Flatten", n.op("Transpose", x, perm=[2, 3, 0, 1]), axis=2
    ),
    "Expand": lambda n, x: n.op("Expand", x, ints(3, 2, 4, *n.shape[2:])),
    "Tile": lambda n, x: n.op("Tile", x, ints(1, 2, 2, 3)),
}
SELECTION: dict[str, Build] = {
    "Concat over channels": lambda n, x: n.op("Concat", x, n.op("Relu", x), axis=1),
    "Concat over rows": lambda n, x: n.op("Concat", x, n.op("Neg", x), like(n, 1, 4), axis=2),
    "Concat over columns of several sizes": lambda n, x: n.op(
        "Concat", x, like(n, 1, 4)[..., :1], n.op("Concat", x, x, axis=3), axis=-1
    ),
    "Split over channels": lambda n, x: n.op("Split", x, ints(1, 3), outputs=2, axis=1),
    "Slice every other": lambda n, x: cut(n, x, [0, 0], [LAST, LAST], [2, 2]),
    "Slice of Focus": lambda n, x: cut(n, four_times(n, x), [1, 0], [LAST, -1], [2, 3]),
    "Slice backwards": lambda n, x: cut(n, four_times(n, x), [-2, 4], [-LAST, 0], [-1, -2]),
    "Slice from the last": lambda n, x: cut(n, four_times(n, x), [-1, -1], [0, 0], [-1, -2]),
    "Slice of channels": lambda n, x: n.op("Slice", x, ints(1), ints(3), ints(1)),
    "Slice without axes": lambda n, x: n.op("Slice", x, ints(0, 1, 0), ints(1, 3, 1)),
    "Slice of the first row": lambda n, x: n.op("Slice", x, ints(0), ints(1), ints(2)),
    "Pad": lambda n, x: n.op("Pad", x, ints(0, 1, 2, 0, 0, 0, 0, 3), 7.0),
    "Pad of some axes": lambda n, x: n.op("Pad", x, ints(1, 0, 0, 2), "", ints(-1, 2)),
    "Pad edge": lambda n, x: n.op("Pad", x, ints(0, 0, 2, 0, 0, 0, 1, 3), mode="edge"),
    "Pad that cuts": lambda n, x: n.op("Pad", four_times(n, x), ints(0, 0, -1, 2, 0, 0, 0, -1)),
    "Gather of channels": lambda n, x: n.op("Gather", x, ints(3, 0, 1), axis=1),
    "Gather of one channel": lambda n, x: n.op("Gather", x, np.array(2), axis=1),
    "Gather of rows": lambda n, x: n.op("Gather", four_times(n, x), ints(0, -1, 1), axis=2),
    "Gather of one row": lambda n, x: n.op("Gather", x, np.array(0), axis=2),
    "Gather of a table": lambda n, x: n.op("Gather", x, ints(0, -1).reshape(1, 2), axis=3),
}
MULTIPLICATION: dict[str, Build] = {
    "MatMul from the right": lambda n, x: n.op("MatMul", x, n.integers(n.shape[3], 3)),
    "MatMul from the left": lambda n, x: n.op("MatMul", n.integers(2, n.shape[2]), x),
    "MatMul of batches": lambda n, x: n.op("MatMul", n.integers(4, 2, n.shape[2]), x),
    "MatMul with a vector": lambda n, x: n.op("MatMul", x, n.integers(n.shape[3])),
    "MatMul of two maps": lambda n, x: n.op(
        "MatMul", x, n.op("Transpose", n.op("Relu", x), perm=[0, 1, 3, 2])
    ),
    "Gemm": lambda n, x: n.op(
        "Gemm",
        n.op("ReduceMax", x, ints(0, 1), keepdims=0),
        *(n.integers(n.shape[3], 3), n.integers(n.shape[2], 1)),
    ),
    "Gemm transposed": lambda n, x: n.op(
        "Gemm",
        n.op("ReduceMax", x, ints(0, 1), keepdims=0),
        *(n.integers(3, n.shape[2]), n.integers(3)),
        **{"transA": 1, "transB": 1},
    ),
}
EXACT = WINDOWS | BROADCASTING | REDUCTIONS | AXES | SELECTION | MULTIPLICATION
ROUNDED = POINTWISE | WHOLE_AXES


def inner_flips_of(build: Build, size: tuple[int, int], tolerance: float) -> list[str]:
    net = Net(1, 2, *size)
    outputs = build(net, net.stem())
    found = check(net.model(*(outputs if isinstance(outputs, list) else [outputs])), tolerance)
    assert found.rotated_input
    return [each for each in found.inner_flips if "at the graph's output" not in each]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", EXACT)
def test_computes_flipped_to_the_bit(name: str, size: tuple[int, int]) -> None:
    assert inner_flips_of(EXACT[name], size, 0) == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ROUNDED)
def test_computes_flipped_within_rounding(name: str, size: tuple[int, int]) -> None:
    assert inner_flips_of(ROUNDED[name], size, 1e-5) == []


@pytest.mark.parametrize("size", SIZES[:3])
@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolution_computes_flipped(name: str, size: tuple[int, int]) -> None:
    attributes = dict(TRANSPOSED[name])
    kernel, groups = attributes.pop("kernel"), attributes.get("group", 1)

    def build(net: Net, x: str) -> object:
        return net.op("ConvTranspose", x, net.integers(4, 2 // groups, *kernel), **attributes)

    assert inner_flips_of(build, size, 0) == []


@pytest.mark.parametrize("shape", [(13, 11), (14, 12)])
def test_transposed_convolution_of_a_given_output_shape(shape: tuple[int, int]) -> None:
    def build(net: Net, x: str) -> object:
        weights = net.integers(4, 2, 4, 4)
        return net.op("ConvTranspose", x, weights, strides=[2, 2], output_shape=shape)

    assert inner_flips_of(build, (6, 5), 0) == []


@pytest.mark.parametrize("mode", ["reflect", "wrap"])
def test_pads_that_repeat_the_map(mode: str) -> None:
    def build(net: Net, x: str) -> object:
        return net.op("Pad", x, ints(0, 0, 2, 0, 0, 0, 1, 3), mode=mode)

    net = Net(1, 2, 6, 5, opset=19)
    assert check(net.model(build(net, net.stem()))).inner_flips == ()


@pytest.mark.parametrize("sizes", [(1, 2, 3), (3, 3), (2, 2, 2)])
@pytest.mark.parametrize("reverse_names", [False, True])
def test_parts_of_a_split_over_rows_keep_their_names(
    sizes: tuple[int, ...], reverse_names: bool
) -> None:
    net = Net(1, 2, 6, 5)
    parts = net.op("Split", net.stem(), ints(*sizes), outputs=len(sizes), axis=2)
    ends = [*parts, net.op("Concat", *(net.op("Relu", part) for part in parts[1:]), axis=2)]
    assert check(net.model(*ends[:: -1 if reverse_names else 1])).inner_flips == ()


def test_split_into_parts_of_which_the_last_is_smaller() -> None:
    net = Net(1, 2, 7, 5)
    parts = net.op("Split", net.stem(), outputs=3, axis=2, num_outputs=3)
    assert check(net.model(*parts)).inner_flips == ()


def test_split_into_single_rows_before_an_operator_without_a_rule() -> None:
    net = Net(1, 2, 3, 1)
    parts = net.op("Split", net.stem(), outputs=3, axis=2, num_outputs=3)
    assert check(net.model(*(net.op("Det", part) for part in parts))).inner_flips == ()


def test_axes_as_an_attribute_below_opset_18() -> None:
    net = Net(1, 2, 6, 5, opset=13)
    assert check(net.model(net.op("ReduceMax", net.stem(), axes=[2], keepdims=0))).rotated_input


@pytest.mark.parametrize("kind", ["Gelu", "GroupNormalization"])
def test_operators_of_newer_opsets(kind: str) -> None:
    net = Net(1, 2, 6, 5, opset=21)
    x, parameters, attributes = net.stem(), [], {}
    if kind == "GroupNormalization":
        parameters, attributes = [net.integers(4), net.integers(4)], {"num_groups": 2}
    net.shapes["normal"] = (1, 4, 6, 5)
    net.nodes.append(net.node(kind, [x, *parameters], ["normal"], **attributes))
    assert check(net.model("normal"), tolerance=1e-5).inner_flips == ()


def test_batch_normalization() -> None:
    net = Net(1, 2, 6, 5)
    statistics = [net.integers(4), net.integers(4), net.integers(4), np.ones(4)]
    end = net.op("BatchNormalization", net.stem(), *statistics, epsilon=0.0)
    assert check(net.model(end), tolerance=1e-5).inner_flips == ()


def test_matrices_on_rows_and_columns_give_a_map_that_stays_flipped() -> None:
    net = Net(1, 2, 6, 5)
    columns = net.op("MatMul", net.stem(), net.integers(5, 4))
    found = check(net.model(net.op("MatMul", net.integers(3, 6), columns)))
    assert found.inner_flips == ()
    assert len(found.rotated_outputs) == 1
