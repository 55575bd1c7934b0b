"""Small networks whose input and outputs are rotated, or have been."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.tflite.tflite_writer import Writer

SHAPE = (1, 5, 8, 2)
STORED: dict[str, dict[str, Any]] = {
    "float32": {},
    "int8": {"dtype": np.int8, "scale": 0.5, "zero_point": 3},
    "uint8": {"dtype": np.uint8, "scale": 0.5, "zero_point": 131},
    "int16": {"dtype": np.int16, "scale": 0.5},
}


def network() -> schema.ModelT:
    """A convolution ``map``, which is an output and is read by a second output, ``positive``."""
    writer = Writer()
    rng = np.random.default_rng(0)
    image = writer.tensor("image", SHAPE)
    kernel = writer.constant("kernel", rng.normal(size=(3, 3, 3, 2)).astype(np.float32))
    bias = writer.constant("bias", rng.normal(size=3).astype(np.float32))
    found = writer.tensor("map", (1, 3, 4, 3))
    writer.conv(image, kernel, bias, found, strides=(2, 2), same=True)
    positive = writer.operator("RELU", [found], writer.tensor("positive", (1, 3, 4, 3)))
    return writer.finish({"picture": image}, {"first": found, "second": positive})


def copier(**stored: Any) -> schema.ModelT:
    """Takes every second row: moves values and computes nothing, whatever their type."""
    writer = Writer()
    image = writer.tensor("image", SHAPE, **stored)
    bounds = [
        writer.constant(name, np.array(value, np.int32))
        for name, value in (("b", (0, 0, 0, 0)), ("e", SHAPE), ("s", (1, 2, 1, 1)))
    ]
    rows = writer.tensor("rows", (1, 3, 8, 2), **stored)
    kind = stored.get("dtype", np.float32)
    version = {np.int8: 2, np.uint8: 1, np.int16: 4}.get(kind, 1)
    writer.operator("STRIDED_SLICE", [image, *bounds], rows, schema.StridedSliceOptionsT(), version)
    return writer.finish({"picture": image}, {"rows": rows})


def picture() -> np.ndarray:
    return np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)


def rotated(value: np.ndarray) -> np.ndarray:
    return value[:, ::-1, ::-1]


def nhwc(names: list[str]) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(names, (1, 2))


def passing_through() -> schema.ModelT:
    """The input is an output as well."""
    model = network()
    model.subgraphs[0].outputs.append(model.subgraphs[0].inputs[0])
    return model
