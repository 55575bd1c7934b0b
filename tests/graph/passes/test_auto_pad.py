"""Are explicit pads those that auto_pad and output_shape stand for?"""

from itertools import product

import numpy as np
import pytest

from mmdet2tflite.graph.passes.auto_pad import ResolveAutoPad
from tests.graph.passes.tiny import apply, assert_same, build, integers, node

MODES = ["VALID", "SAME_UPPER", "SAME_LOWER"]
ROUNDING = 2 * np.finfo(np.float32).eps


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("op_type", "more"),
    [
        ("Conv", {}),
        ("MaxPool", {}),
        ("AveragePool", {}),
        ("AveragePool", {"count_include_pad": 1}),
        ("LpPool", {}),
    ],
)
@pytest.mark.parametrize("kernel", [(3, 2), (2, 5)])
@pytest.mark.parametrize("strides", [[1, 1], [2, 2]])
def test_windows(mode: str, op_type: str, more: dict, kernel: tuple, strides: list) -> None:
    inputs = ["x", "w"] if op_type == "Conv" else ["x"]
    attributes = {"kernel_shape": kernel, "strides": strides, "auto_pad": mode, **more}
    model = build([node(op_type, inputs, ["y"], **attributes)], {"w": integers(3, 2, *kernel)})
    done = apply(ResolveAutoPad, model)
    assert "auto_pad" not in done.one(op_type).attributes
    assert_same(model, done.model, relative=0 if op_type in ("Conv", "MaxPool") else ROUNDING)


def test_a_dilated_convolution_is_padded_for_its_span() -> None:
    # 8 columns, K = 5, stride 1: 4 columns of padding; 7 rows, K = 3, stride 2: 2 rows.
    attributes = {"dilations": [1, 2], "strides": [2, 1], "auto_pad": "SAME_UPPER"}
    model = build([node("Conv", ["x", "w"], ["y"], **attributes)], {"w": integers(1, 2, 3, 3)})
    done = apply(ResolveAutoPad, model)
    assert done.one("Conv").attributes["pads"].as_ints() == (1, 2, 1, 2)


def test_one_spatial_axis() -> None:
    # ceil(8 / 2) = 4 outputs need (4 - 1)·2 + 4 = 10 columns.
    model = build(
        [node("Conv", ["x", "w"], ["y"], name="c", strides=[2], auto_pad="SAME_UPPER")],
        {"w": integers(1, 2, 4)},
        image=(1, 2, 8),
        outputs={"y": 3},
    )
    done = apply(ResolveAutoPad, model)
    assert done.sentences == ["wrote auto_pad SAME_UPPER of Conv c as pads [1, 1]"]
    assert_same(model, done.model)


TRANSPOSED = [
    {"auto_pad": mode, "strides": strides, "output_padding": extra}
    for mode, strides, extra in product(MODES, ([1, 1], [2, 3], [2, 2]), ([0, 0], [1, 0]))
    if extra[0] < strides[0]
] + [
    {"output_shape": [14, 16], "strides": [2, 2]},
    {"output_shape": [14, 15], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"output_shape": [14, 15], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
    {"output_shape": [14, 16], "strides": [2, 2], "auto_pad": "VALID"},
]


@pytest.mark.parametrize(
    ("attributes", "kernel"),
    [
        *product(TRANSPOSED, [(3, 3), (4, 2)]),
        # Too small for the output shapes that are asked for.
        *((each, (1, 5)) for each in TRANSPOSED if "output_shape" not in each),
    ],
    ids=str,
)
def test_transposed_convolutions(attributes: dict, kernel: tuple[int, int]) -> None:
    model = build(
        [node("ConvTranspose", ["x", "w"], ["y"], name="t", **attributes)],
        {"w": integers(2, 1, *kernel)},
    )
    done = apply(ResolveAutoPad, model)
    found = done.one("ConvTranspose").attributes
    assert "auto_pad" not in found
    assert "output_shape" not in found
    assert_same(model, done.model)


def test_explicit_pads_stay() -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 0, 2, 1], auto_pad="NOTSET"),
        node("ConvTranspose", ["c", "v"], ["y"], pads=[1, 0, 2, 1]),
    ]
    done = apply(
        ResolveAutoPad, build(nodes, {"w": integers(1, 2, 3, 3), "v": integers(1, 1, 4, 4)})
    )
    assert done.sentences == []
    assert done.one("Conv").attributes["pads"].as_ints() == (1, 0, 2, 1)
