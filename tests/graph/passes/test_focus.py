"""Is every rearrangement of space into channels folded, whatever it is written in?"""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from onnx import NodeProto

from mmdet2tflite.graph.passes.focus import FoldFocus
from tests.graph.passes.tiny import apply, assert_same, build, integers, node

C, H, W = 3, 8, 6
IMAGE = (1, C, H, W)
QUARTERS = [(0, 0), (1, 0), (0, 1), (1, 1)]
"""YOLOX's order of (dy, dx): top left, bottom left, top right, bottom right."""


def constants(**more: np.ndarray) -> dict[str, np.ndarray]:
    numbers = {f"n{n}": np.array([n]) for n in (0, 1, 2, 3, 1000)}
    axes = {"rows": np.array([2]), "columns": np.array([3]), "both": np.array([2, 3])}
    return {**numbers, **axes, "twos": np.array([2, 2]), "ends": np.array([1000, 1000]), **more}


def focus(order: Sequence[tuple[int, int]] = QUARTERS, source: str = "x") -> list[NodeProto]:
    """Stock YOLOX: rows, then columns, by two Slices for each block."""
    nodes, blocks = [], []
    for number, (dy, dx) in enumerate(order):
        rows, block = f"rows_{number}", f"block_{number}"
        nodes += [
            node("Slice", [source, f"n{dy}", "n1000", "rows", "n2"], [rows]),
            node("Slice", [rows, f"n{dx}", "n1000", "columns", "n2"], [block]),
        ]
        blocks.append(block)
    return [*nodes, node("Concat", blocks, ["f"], name="join", axis=1)]


def focus_in_four() -> list[NodeProto]:
    """As it is after simplification: one Slice over both axes for each block."""
    slices = [
        node("Slice", ["x", f"starts_{dy}{dx}", "ends", "both", "twos"], [f"block_{dy}{dx}"])
        for dy, dx in QUARTERS
    ]
    blocks = [each.output[0] for each in slices]
    return [*slices, node("Concat", blocks, ["f"], name="join", axis=1)]


def focus_of_mmdeploy() -> list[NodeProto]:
    return [
        node("Reshape", ["x", "split"], ["six"]),
        node("Transpose", ["six"], ["turned"], perm=[0, 5, 3, 1, 2, 4]),
        node("Reshape", ["turned", "joined"], ["f"], name="join"),
    ]


def conv(name: str = "y", **attributes: object) -> NodeProto:
    return node("Conv", ["f", "w", "b"], [name], name=f"conv_{name}", **attributes)


SPLIT = {
    "split": np.array([1, C, H // 2, 2, W // 2, 2]),
    "joined": np.array([1, 4 * C, H // 2, W // 2]),
}
STARTS = {f"starts_{dy}{dx}": np.array([dy, dx]) for dy, dx in QUARTERS}
FORMS = {
    "YOLOX": (focus(), {}),
    "four slices": (focus_in_four(), STARTS),
    "mmdeploy": (focus_of_mmdeploy(), SPLIT),
    "SpaceToDepth": ([node("SpaceToDepth", ["x"], ["f"], name="join", blocksize=2)], {}),
    "pixel unshuffle": (
        [
            node("Reshape", ["x", "split"], ["six"]),
            node("Transpose", ["six"], ["turned"], perm=[0, 1, 3, 5, 2, 4]),
            node("Reshape", ["turned", "joined"], ["f"], name="join"),
        ],
        SPLIT,
    ),
    "the nearest source, rows reversed before it": (
        [
            node("Slice", ["x", "n1000", "below", "rows", "back"], ["reversed"]),
            node("SpaceToDepth", ["reversed"], ["f"], name="join", blocksize=2),
        ],
        {"below": np.array([-1000]), "back": np.array([-1])},
    ),
}


@pytest.mark.parametrize(("nodes", "more"), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("pads", [[1, 1, 1, 1], [0, 0, 0, 0], [2, 0, 1, 1]], ids=str)
@pytest.mark.parametrize("kernel", [(3, 3), (1, 2)])
def test_folded(nodes: list, more: dict, pads: list, kernel: tuple) -> None:
    weights = {"w": integers(5, 4 * C, *kernel), "b": integers(5, seed=1)}
    model = build([*nodes, conv(pads=pads)], constants(**weights, **more), image=IMAGE)
    done = apply(FoldFocus, model)
    found = done.one("Conv")
    assert found.attributes["kernel_shape"].as_ints() == tuple(2 * side for side in kernel)
    assert found.attributes["strides"].as_ints() == (2, 2)
    assert found.attributes["pads"].as_ints() == tuple(2 * rows for rows in pads)
    assert done.sentences[0].endswith(f"by {nodes[-1].op_type} join into Conv conv_y")
    assert_same(model, done.model)


@pytest.mark.parametrize("order", permutations(QUARTERS), ids=str)
def test_any_order_of_the_blocks_is_folded(order: tuple) -> None:
    weights = {"w": integers(2, 4 * C, 3, 3), "b": integers(2, seed=1)}
    model = build([*focus(order), conv(pads=[1, 1, 1, 1])], constants(**weights), image=IMAGE)
    done = apply(FoldFocus, model)
    assert done.one("Conv").inputs[0] is done.model.graph.inputs[0]
    assert_same(model, done.model)


def test_mmdeploy_and_yolox_put_the_blocks_in_the_same_order() -> None:
    weights = {"w": integers(2, 4 * C, 3, 3), "b": integers(2, seed=1)}
    stock = build([*focus(), conv()], constants(**weights), image=IMAGE)
    rewritten = apply(
        FoldFocus, build([*focus_of_mmdeploy(), conv()], constants(**weights, **SPLIT), image=IMAGE)
    )
    assert_same(stock, rewritten.model)


def test_blocks_of_three_are_folded() -> None:
    image = (1, 2, 9, 6)
    weights = {"w": integers(4, 18, 2, 1), "b": integers(4)}
    unshuffle = node("SpaceToDepth", ["x"], ["f"], blocksize=3)
    model = build([unshuffle, conv(pads=[1, 0, 0, 0])], weights, image=image)
    done = apply(FoldFocus, model)
    assert done.one("Conv").attributes["strides"].as_ints() == (3, 3)
    assert_same(model, done.model)


def test_it_is_folded_inside_a_network_and_into_several_convolutions() -> None:
    weights = {"w": integers(2, 4 * C, 3, 3), "b": integers(2, seed=1)}
    nodes = [node("Neg", ["x"], ["m"]), *focus(source="m"), conv("y"), conv("z", pads=[1, 1, 1, 1])]
    model = build(nodes, constants(**weights), image=IMAGE, outputs={"y": 4, "z": 4})
    done = apply(FoldFocus, model)
    assert [each.inputs[0].name for each in done.model.graph if each.op_type == "Conv"] == [
        "m",
        "m",
    ]
    assert_same(model, done.model)


LEFT = {
    "stride": ([conv(strides=[1, 2])], "Conv conv_y has a stride"),
    "dilation": ([conv(dilations=[2, 1])], "Conv conv_y is dilated"),
    "groups": ([node("Conv", ["f", "wg"], ["y"], name="g", group=3)], "Conv g has groups"),
    "computed weights": (
        [node("Add", ["w", "m"], ["wc"]), node("Conv", ["f", "wc"], ["y"], name="c")],
        "the weights of Conv c are not constant",
    ),
    "another reader": (
        [conv(), node("Relu", ["f"], ["z"], name="r")],
        "Relu r reads it too",
    ),
}


@pytest.mark.parametrize(("after", "reason"), LEFT.values(), ids=LEFT)
def test_left_with_a_reason(after: list[NodeProto], reason: str) -> None:
    weights = {
        "w": integers(2, 4 * C, 1, 1),
        "wg": integers(3, 4, 1, 1),
        "b": integers(2),
    }
    outputs = {each.output[0]: 4 for each in after if each.output[0] in "yz"}
    before = [node("ReduceMax", ["x"], ["m"], keepdims=0), *focus()]
    model = build([*before, *after], constants(**weights), image=IMAGE, outputs=outputs)
    done = apply(FoldFocus, model)
    assert done.sentences == [f"left Concat join as it is: {reason}"]
    assert_same(model, done.model)


def test_a_graph_output_is_left() -> None:
    weights = {"w": integers(2, 4 * C, 1, 1), "b": integers(2)}
    model = build([*focus(), conv()], constants(**weights), image=IMAGE, outputs={"f": 4, "y": 4})
    done = apply(FoldFocus, model)
    assert done.sentences == ["left Concat join as it is: it is a graph output"]


NOT_FOCUS = {
    "a block twice": focus([(0, 0), (1, 0), (0, 1), (0, 0)]),
    "blocks side by side": [
        node("Reshape", ["x", "halves"], ["six"]),
        node("Transpose", ["six"], ["turned"], perm=[0, 2, 4, 1, 3, 5]),
        node("Reshape", ["turned", "joined"], ["f"]),
    ],
    "rows exchanged": [
        node("SpaceToDepth", ["x"], ["s"], blocksize=2),
        node("Gather", ["s", "exchanged"], ["f"], axis=2),
    ],
    "a constant block": [
        node("SpaceToDepth", ["x"], ["s"], blocksize=2),
        node("Slice", ["s", "n3", "n1000", "n1"], ["most"]),
        node("Concat", ["grid", "most"], ["f"], axis=1),
    ],
    "two sources": [
        node("Neg", ["x"], ["minus"]),
        node("SpaceToDepth", ["x"], ["s"], blocksize=2),
        node("SpaceToDepth", ["minus"], ["t"], blocksize=2),
        node("Slice", ["s", "n3", "n1000", "n1"], ["most"]),
        node("Slice", ["t", "n0", "n3", "n1"], ["few"]),
        node("Concat", ["few", "most"], ["f"], axis=1),
    ],
}


@pytest.mark.parametrize("nodes", NOT_FOCUS.values(), ids=NOT_FOCUS)
def test_what_only_looks_like_it_is_no_business_of_the_pass(nodes: list[NodeProto]) -> None:
    more = {
        "w": integers(2, 4 * C, 1, 1),
        "b": integers(2),
        "halves": np.array([1, C, 2, H // 2, 2, W // 2]),
        "joined": SPLIT["joined"],
        "exchanged": np.array([0, 2, 1, 3]),
        "grid": integers(1, C, H // 2, W // 2),
    }
    model = build([*nodes, conv()], constants(**more), image=IMAGE)
    done = apply(FoldFocus, model)
    assert done.sentences == []
    assert_same(model, done.model)
