"""Which Pads go into the window after them, and why do the others stay?"""

import numpy as np
import pytest
from onnx import NodeProto

from mmdet2tflite.graph.passes.pads import MergePads
from tests.graph.passes.tiny import apply, assert_same, build, integers, node

LOWEST = np.finfo(np.float32).min
ROUNDING = 2 * np.finfo(np.float32).eps
CONSTANTS = {
    "p": np.array([0, 0, 1, 0, 0, 0, 2, 1]),
    "zero": np.float32(0),
    "one": np.float32(1),
    "six": np.float32(6),
    "lowest": LOWEST,
    "infinite": np.float32(-np.inf),
    "spatial": np.array([0, 1, 2, 0]),
    "last": np.array([3, 2]),
    "negative": np.array([0, 0, 1, -1, 0, 0, 1, 0]),
    "channels": np.array([0, 1, 0, 0, 0, 1, 0, 0]),
    "w": integers(3, 2, 3, 3),
    "v": integers(2, 1, 2, 4, seed=1),
    "u": integers(2, 1, 3, 3, seed=2),
    "w4": integers(1, 4, 1, 1),
}


def pad(source: str, *inputs: str, **attributes: object) -> NodeProto:
    return node("Pad", [source, *(inputs or ["p"])], ["q"], name="pad", **attributes)


def conv(source: str = "q", weights: str = "w", target: str = "y", **attributes: object):
    return node("Conv", [source, weights], [target], name=f"conv_{target}", **attributes)


def pool(kind: str, source: str = "q", target: str = "y", **attributes: object) -> NodeProto:
    attributes = {"kernel_shape": [3, 3], **attributes}
    return node(kind, [source], [target], name="pool", **attributes)


RELU = node("Relu", ["x"], ["r"])
MERGED = {
    "conv": ([pad("x"), conv()], [1, 0, 2, 1]),
    "value given": ([pad("x", "p", "zero"), conv()], [1, 0, 2, 1]),
    "axes given, last first": ([pad("x", "spatial", "", "last"), conv()], [1, 0, 0, 2]),
    "conv with pads, stride and dilation": (
        [pad("x"), conv(pads=[0, 1, 1, 0], strides=[2, 2], dilations=[2, 1])],
        [1, 1, 3, 1],
    ),
    "depthwise conv": ([pad("x"), conv(weights="v", group=2)], [1, 0, 2, 1]),
    "average pool without pads": ([pad("x"), pool("AveragePool")], [1, 0, 2, 1]),
    "average pool that counts its pads": (
        [pad("x"), pool("AveragePool", pads=[1, 1, 0, 1], count_include_pad=1)],
        [2, 1, 2, 2],
    ),
    "lowest value before max pool": ([pad("x", "p", "lowest"), pool("MaxPool")], [1, 0, 2, 1]),
    "minus infinity before max pool": (
        [pad("x", "p", "infinite"), pool("MaxPool", strides=[2, 2])],
        [1, 0, 2, 1],
    ),
    "zero after Relu": ([RELU, pad("r"), pool("MaxPool")], [1, 0, 2, 1]),
    "zero after Sigmoid": (
        [node("Sigmoid", ["x"], ["r"]), pad("r"), pool("MaxPool", pads=[1, 1, 0, 0])],
        [2, 1, 2, 1],
    ),
    "zero after Clip from 0": (
        [node("Clip", ["x", "zero", "six"], ["r"]), pad("r"), pool("MaxPool")],
        [1, 0, 2, 1],
    ),
}


@pytest.mark.parametrize(("nodes", "pads"), MERGED.values(), ids=MERGED)
def test_merged(nodes: list[NodeProto], pads: list[int]) -> None:
    model = build(nodes, CONSTANTS, opset=18)
    done = apply(MergePads, model)
    window = nodes[-1]
    assert "Pad" not in done.ops
    assert done.sentences == [f"merged Pad pad into {window.op_type} {window.name}"]
    assert list(done.one(window.op_type).attributes["pads"].as_ints()) == pads
    assert_same(model, done.model, relative=ROUNDING if window.op_type == "AveragePool" else 0)


def test_two_convolutions_take_one_pad() -> None:
    model = build(
        [pad("x"), conv(), conv(weights="v", target="z", group=2)],
        CONSTANTS,
        outputs={"y": 4, "z": 4},
    )
    done = apply(MergePads, model)
    assert done.ops == ["Conv", "Conv"]
    assert_same(model, done.model)


def test_computed_weights_do_not_matter() -> None:
    nodes = [
        node("ReduceMax", ["x"], ["largest"], keepdims=0),
        node("Mul", ["w", "largest"], ["k"]),
        pad("x"),
        conv(weights="k"),
    ]
    model = build(nodes, CONSTANTS)
    done = apply(MergePads, model)
    assert "Pad" not in done.ops
    assert_same(model, done.model)


STAYS = {
    "reflected": ([pad("x", mode="reflect"), conv()], "its mode is reflect"),
    "channels": ([pad("x", "channels"), conv(weights="w4")], "it pads batch or channels"),
    "cut": ([pad("x", "negative"), conv()], "it has negative pads"),
    "different readers": (
        [RELU, pad("r"), conv(), pool("MaxPool", target="z")],
        "its readers differ: Conv, MaxPool",
    ),
    "no window": (
        [pad("x"), node("Neg", ["q"], ["y"], name="minus")],
        "Neg minus has no padding of its own",
    ),
    "transposed": (
        [pad("x"), node("ConvTranspose", ["q", "v"], ["y"], name="t")],
        "ConvTranspose t has no padding of its own",
    ),
    "ones before conv": (
        [pad("x", "p", "one"), conv()],
        "Conv conv_y pads with 0, not with 1.0",
    ),
    "computed value": (
        [node("ReduceMax", ["x"], ["m"], keepdims=0), pad("x", "p", "m"), conv()],
        "Conv conv_y pads with 0, not with a computed value",
    ),
    "as weights": (
        [pad("x"), node("Conv", ["x", "q"], ["y"], name="c", pads=[5, 5, 5, 5])],
        "Conv c takes it as weights",
    ),
    "ones before average pool": (
        [pad("x", "p", "one"), pool("AveragePool")],
        "AveragePool pool pads with 0, not with 1.0",
    ),
    "average pool that does not count its pads": (
        [pad("x"), pool("AveragePool", pads=[0, 1, 0, 0])],
        "AveragePool pool does not count its own padding",
    ),
    "zero before max pool": (
        [pad("x"), pool("MaxPool")],
        "MaxPool pool may pick 0.0 of the padding",
    ),
    "one after Relu": (
        [RELU, pad("r", "p", "one"), pool("MaxPool")],
        "MaxPool pool may pick 1.0 of the padding",
    ),
    "zero after Clip from below 0": (
        [node("Clip", ["x", "lowest", "six"], ["r"]), pad("r"), pool("MaxPool")],
        "MaxPool pool may pick 0.0 of the padding",
    ),
    "zero after Clip without a minimum": (
        [node("Clip", ["x", "", "six"], ["r"]), pad("r"), pool("MaxPool")],
        "MaxPool pool may pick 0.0 of the padding",
    ),
    "pads as large as the kernel": (
        [RELU, pad("r"), pool("MaxPool", kernel_shape=[2, 3])],
        "MaxPool pool would have pads as large as its kernel",
    ),
    "indices": (
        [RELU, pad("r"), node("MaxPool", ["q"], ["y", "z"], name="pool", kernel_shape=[3, 3])],
        "MaxPool pool gives indices into the padded map",
    ),
}


@pytest.mark.parametrize(("nodes", "reason"), STAYS.values(), ids=STAYS)
def test_stays_with_a_reason(nodes: list[NodeProto], reason: str) -> None:
    outputs = {"y": 4}
    if nodes[-1].output[-1] == "z":
        outputs["z"] = 4
    model = build(nodes, CONSTANTS, outputs=outputs)
    done = apply(MergePads, model)
    assert "Pad" in done.ops
    assert done.sentences == [f"left Pad pad as it is: {reason}"]


def test_a_graph_output_stays() -> None:
    done = apply(MergePads, build([pad("x"), conv()], CONSTANTS, outputs={"q": 4, "y": 4}))
    assert done.sentences == ["left Pad pad as it is: it is a graph output"]


def test_windows_of_padding_alone_stay() -> None:
    # Taps at -1 and 2 of two rows: the first window of a dilated pool sees no row at all.
    nodes = [RELU, pad("r", "around"), pool("MaxPool", kernel_shape=[2, 1], dilations=[3, 1])]
    constants = {"around": np.array([0, 0, 1, 0, 0, 0, 1, 0])}
    done = apply(MergePads, build(nodes, constants, image=(1, 1, 2, 2)))
    reason = "MaxPool pool has a window of padding alone"
    assert done.sentences == [f"left Pad pad as it is: {reason}"]


def test_a_pooling_in_ceil_mode_stays() -> None:
    nodes = [RELU, pad("r"), pool("MaxPool", ceil_mode=1)]
    done = apply(MergePads, build(nodes, CONSTANTS))
    assert done.sentences == ["left Pad pad as it is: MaxPool pool is in ceil mode"]
