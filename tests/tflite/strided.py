"""A strided int8 convolution, and what is read of its file."""

import numpy as np

from mmdet2tflite.tflite.flatbuffer import operator_name
from mmdet2tflite.tflite.moves import shape_of
from tests.tflite.tflite_writer import Writer

CHANNELS_OUT = 5


def network(kernel, channels=3, stride=2, size=(12, 16), pads=None, same=True, dilation=1):
    """image (int8) → PAD, if there are pads (top, bottom, left, right) → convolution ``map``."""
    rng = np.random.default_rng(sum(kernel) + channels)
    writer = Writer()
    image = writer.tensor("image", (1, *size, channels), np.int8, scale=0.5, zero_point=7)
    read, padded = image, size
    if pads:
        table = np.array([(0, 0), pads[:2], pads[2:], (0, 0)], np.int32)
        padded = tuple(int(side + sum(pads)) for side, pads in zip(size, table[1:3], strict=True))
        read = writer.tensor("padded", (1, *padded, channels), np.int8, scale=0.5, zero_point=7)
        writer.operator("PAD", [image, writer.constant("table", table)], read, version=2)
    taps = rng.integers(-127, 128, (CHANNELS_OUT, *kernel, channels)).astype(np.int8)
    scales = rng.uniform(0.01, 0.02, CHANNELS_OUT)
    weights = writer.constant("kernel", taps, scale=scales)
    offsets = rng.integers(-1000, 1000, CHANNELS_OUT).astype(np.int32)
    bias = writer.constant("bias", offsets, scale=scales * 0.5)
    spans = [(length - 1) * dilation + 1 for length in kernel]
    places = [
        -(-side // stride) if same and not pads else (side - span) // stride + 1
        for side, span in zip(padded, spans, strict=True)
    ]
    found = writer.tensor("map", (1, *places, CHANNELS_OUT), np.int8, scale=4.0, zero_point=-3)
    writer.conv(
        *(read, weights, bias, found),
        strides=(stride, stride),
        same=same and not pads,
        quantised=True,
        dilations=(dilation, dilation),
    )
    return writer.finish({"picture": image}, {"map": found})


def picture(model):
    shape = shape_of(model.subgraphs[0], model.subgraphs[0].inputs[0])
    return np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8)


def kinds(model):
    return [operator_name(model, operator) for operator in model.subgraphs[0].operators]


def convolution(model):
    (found,) = [o for o in model.subgraphs[0].operators if operator_name(model, o) == "CONV_2D"]
    return found
