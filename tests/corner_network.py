"""A detector that reads two pixels, and sees a box where the first channel of one is bright.

The input is 64 x 32, two cells of stride 32. A cell looks at its top-left pixel: channel 0 minus 20
is the logit of its objectness, channel 1 moves its box to the right, a pixel for each unit. Boxes
are as large as their cell; every object is a dog.
"""

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from pydantic import TypeAdapter

from mmdet2tflite.convert.tflite_file import write_passport
from mmdet2tflite.passport import Head, Passport, Preprocessing, Rotation, TfliteOutput
from mmdet2tflite.tflite.flatbuffer import write_model
from mmdet2tflite.tflite.padding_flag import write_flags
from tests.tflite.tflite_writer import Writer

STRIDE = 32
CHANNELS = {"cls_32": 2, "box_32": 4, "obj_32": 1}
CERTAIN = 20.0
BRIGHT = (40, 4, 0)
"""A logit of 40 - 20, whose score is 1 in float32; the box stands 4 pixels to the right."""
RIGHT_CELL = [32 + 4, 0, 64 + 4, 32]
HEAD = Head(
    family="yolox",
    classes=("cat", "dog"),
    strides=(STRIDE,),
    score_threshold=0.3,
    nms_iou=0.65,
    max_detections=100,
)


def picture(pixel: tuple[int, int, int] = BRIGHT) -> np.ndarray:
    """Black on the left, of one colour on the right."""
    image = np.zeros((32, 64, 3), np.uint8)
    image[:, 32:] = pixel
    return image


def passport(**changes: Any) -> Passport:
    fields: dict[str, Any] = {
        "head": HEAD,
        "preprocessing": Preprocessing(width=64, height=32),
        "outputs": [TfliteOutput(name=name, shape=(1, 1, 2, n)) for name, n in CHANNELS.items()],
        "rotation": Rotation(),
        "strategy": "explicit",
        "exact": True,
        "converter": "hand",
        "precision": "float32",
        "tools": {"hand": "1"},
        "ancestors": {"none": "0"},
    }
    return TypeAdapter(Passport).validate_python(fields | changes)


def write_detector(
    path: Path,
    *,
    rotated: bool = False,
    first: tuple[str, ...] = (),
    flagged: bool = False,
    dtype: Any = np.float32,
    **changes: Any,
) -> Path:
    """Write the file.

    Args:
        rotated: the kernels look at the bottom-right pixel of a cell, as a rotated network's do.
        first: outputs that are channels first in the file.
        flagged: behind a convolution with stride 2 that takes the top-left pixel of each 2 x 2 if
            its flag is honoured, and the bottom-right one if it is not.
        dtype: of input and outputs.
        changes: fields of the passport.
    """
    writer = Writer()
    stored = _input(writer, dtype)
    value = writer.graph.inputs[0] if stored is None else stored
    stride = STRIDE
    if flagged:
        value, stride = _halve(writer, value), STRIDE // 2
    outputs = {
        name: _output(
            writer, name, _map(writer, name, value, stride, rotated), dtype, name in first
        )
        for name in CHANNELS
    }
    model = writer.finish({"image": writer.graph.inputs[0]}, outputs)
    if flagged:
        write_flags(model, {"half": (1, 0, 1, 0)})
    described = [
        TfliteOutput(name=name, shape=(1, n, 1, 2), layout="onnx")
        if name in first
        else TfliteOutput(name=name, shape=(1, 1, 2, n))
        for name, n in CHANNELS.items()
    ]
    write_passport(model, passport(outputs=described, **changes))
    write_model(model, path)
    return path


STORED: dict[Any, dict[str, Any]] = {
    np.int8: {"scale": 1.0, "zero_point": -128},
    np.uint8: {"scale": 1.0, "zero_point": 0},
    np.int16: {"scale": 0.5, "zero_point": 0},
}
"""Integers that hold pixels without loss."""
MAPS: dict[Any, dict[str, Any]] = {
    np.int8: {"scale": 0.25, "zero_point": 5},
    np.uint8: {"scale": 0.25, "zero_point": 100},
    np.int16: {"scale": 0.125, "zero_point": 0},
}
"""Integers that hold ±20 and eighths or 0 and 1 without loss."""


def _input(writer: Writer, dtype: Any) -> int | None:
    image = writer.tensor("image", (1, 32, 64, 3), dtype, **STORED.get(dtype, {}))
    writer.graph.inputs = [image]
    if dtype is np.float32:
        return None
    reals = writer.tensor("reals", (1, 32, 64, 3))
    return writer.operator("DEQUANTIZE", [image], reals, schema.DequantizeOptionsT(), version=3)


def _map(writer: Writer, name: str, value: int, stride: int, rotated: bool) -> int:
    channels = CHANNELS[name]
    kernel = np.zeros((channels, stride, stride, 3), np.float32)  # O x H x W x I
    place = (-1, -1) if rotated else (0, 0)
    bias = {"cls_32": [-CERTAIN, CERTAIN], "box_32": [0.5, 0.5, 0, 0], "obj_32": [-CERTAIN]}[name]
    if name == "box_32":
        # From the cell's corner to the centre of a box of e^ln(32 / 32) cells: half a cell.
        kernel[0, *place, 1] = 1 / STRIDE
    if name == "obj_32":
        kernel[0, *place, 0] = 1
    result = writer.tensor(f"{name}/reals", (1, 1, 2, channels))
    weights = writer.constant(f"{name}/w", kernel)
    offset = writer.constant(f"{name}/b", np.array(bias, np.float32))
    return writer.conv(value, weights, offset, result, strides=(stride, stride))


def _output(writer: Writer, name: str, value: int, dtype: Any, first: bool) -> int:
    channels = CHANNELS[name]
    shape = (1, channels, 1, 2) if first else (1, 1, 2, channels)
    axes = writer.constant(f"{name}/axes", np.array((0, 3, 1, 2) if first else range(4), np.int32))
    if dtype is np.float32:
        result = writer.tensor(name, shape)
        return writer.operator("TRANSPOSE", [value, axes], result, schema.TransposeOptionsT())
    result = writer.tensor(name, shape, dtype, **MAPS[dtype])
    return writer.operator("QUANTIZE", [value], result, schema.QuantizeOptionsT(), version=2)


def _halve(writer: Writer, value: int) -> int:
    """3x3, stride 2, which keeps its middle tap: with pads (1, 0) the pixel (2i, 2j)."""
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    kernel[range(3), 1, 1, range(3)] = 1
    weights = writer.constant("half/w", kernel)
    bias = writer.constant("half/b", np.zeros(3, np.float32))
    half = writer.tensor("half", (1, 16, 32, 3))
    return writer.conv(value, weights, bias, half, strides=(2, 2), same=True)
