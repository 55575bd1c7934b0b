"""Padding operators: what they pad, who reads them, and what keeps XNNPACK from fusing them."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.pads import Reader, find_pads
from mmdet2tflite.tflite.windows import Window
from tests.tflite.tflite_writer import Writer

SPATIAL = ((0, 0), (1, 0), (2, 3), (0, 0))


def padded_convolution(
    operator: str = "PAD",
    pads: tuple[tuple[int, int], ...] = SPATIAL,
    pads_type: type[np.generic] = np.int32,
    value: float = 0,
    kind: type[np.generic] = np.float32,
    weights: type[np.generic] | None = None,
    same: bool = False,
    depthwise: bool = False,
) -> Writer:
    """A 3x3 convolution with stride 2 behind a padding operator."""
    writer = Writer()
    scale = {} if kind is np.float32 else {"scale": 0.5, "zero_point": 3}
    image = writer.tensor("image", (1, 8, 8, 2), kind, **scale)
    operands = [writer.constant("pads", np.array(pads, pads_type))]
    if operator == "PADV2":
        operands.append(writer.constant("value", np.array([value]).astype(kind), **scale))
    options: Any = {
        "PAD": schema.PadOptionsT(),
        "PADV2": schema.PadV2OptionsT(),
        "MIRROR_PAD": schema.MirrorPadOptionsT(),
    }[operator]
    padded = writer.tensor("padded", (1, 9, 13, 2), kind, **scale)
    writer.operator(operator, [image, *operands], padded, options)
    shape = (1, 3, 3, 2) if depthwise else (2, 3, 3, 2)
    kernel = writer.constant("kernel", np.ones(shape, weights or kind))
    bias = writer.constant("bias", np.zeros(2, np.float32))
    found = writer.tensor("map", (1, 4, 6, 2), kind, **scale)
    writer.conv(padded, kernel, bias, found, strides=(2, 1), same=same, depthwise=depthwise)
    writer.finish({"picture": image}, {"map": found})
    return writer


def obstacle(**what: Any) -> str:
    (padding,) = find_pads(padded_convolution(**what).model)
    assert padding.fused == (not padding.obstacle)
    return padding.obstacle


@pytest.mark.parametrize(
    "what",
    [{}, {"depthwise": True}, {"kind": np.int8}, {"kind": np.uint8}],
    ids=["convolution", "depthwise", "int8", "uint8"],
)
def test_a_spatial_pad_with_one_valid_convolution_is_fused(what):
    assert obstacle(**what) == ""


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "PADV2, even with zeros": ({"operator": "PADV2"}, "XNNPACK does not take PADV2"),
    "MIRROR_PAD": ({"operator": "MIRROR_PAD"}, "XNNPACK does not take MIRROR_PAD"),
    "64-bit pads": ({"pads_type": np.int64}, "its pads are int64, XNNPACK takes int32"),
    "16 bit": ({"kind": np.int16}, "XNNPACK does not pad INT16"),
    "batch": ({"pads": ((0, 1), (1, 0), (1, 0), (0, 0))}, "it pads more than height and width"),
    "channels": ({"pads": ((0, 0), (1, 0), (1, 0), (1, 0))}, "it pads more than height and width"),
    "no map": ({"pads": ((0, 0), (1, 0), (1, 0))}, "it pads more than height and width"),
    "SAME": ({"same": True}, "the convolution pads on its own (SAME)"),
    "dynamic-range weights": (
        {"weights": np.int8},
        "the convolution quantises its input first (dynamic-range weights)",
    ),
}


@pytest.mark.parametrize(("what", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_pad_that_is_not_fused_says_why(what, reason):
    assert obstacle(**what) == reason


def test_computed_pads_are_not_fused():
    writer = padded_convolution()
    writer.graph.tensors[1].buffer = 0
    (padding,) = find_pads(writer.model)
    assert (padding.pads, padding.obstacle) == (None, "its pads are computed")


def test_a_pad_with_a_second_reader_is_not_fused_and_names_both():
    writer = padded_convolution()
    index = next(i for i, t in enumerate(writer.graph.tensors) if t.name == b"padded")
    writer.operator("RELU", [index], writer.tensor("positive", (1, 9, 13, 2)))
    (padding,) = find_pads(writer.model)
    assert padding.obstacle == "2 operators read it"
    assert padding.readers == (
        Reader("CONV_2D", "map", Window((3, 3), (2, 1), (1, 1), same=False)),
        Reader("RELU", "positive", None),
    )


def test_a_pad_that_is_an_output_or_whose_reader_is_no_convolution_is_not_fused():
    writer = padded_convolution()
    index = next(i for i, t in enumerate(writer.graph.tensors) if t.name == b"padded")
    writer.graph.outputs.append(index)
    assert find_pads(writer.model)[0].obstacle == "it is an output of the graph"
    writer.graph.outputs.remove(index)
    writer.graph.operators.pop()
    writer.operator("RELU", [index], writer.tensor("positive", (1, 9, 13, 2)))
    assert find_pads(writer.model)[0].obstacle == "RELU reads it, which is no convolution"


def test_a_padding_operator_is_described_by_its_tensor_pads_and_real_value():
    (padding,) = find_pads(padded_convolution().model)
    assert (padding.operator, padding.output) == ("PAD", "padded")
    assert (padding.pads, padding.value) == (SPATIAL, 0.0)
    (padding,) = find_pads(padded_convolution("PADV2", value=-2.5).model)
    assert padding.value == -2.5
    (padding,) = find_pads(padded_convolution("PADV2", value=7, kind=np.int8).model)
    assert padding.value == (7 - 3) * 0.5
    (padding,) = find_pads(padded_convolution("MIRROR_PAD").model)
    assert padding.value is None
