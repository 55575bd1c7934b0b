"""What a stand-alone conversion is compared on: real images, or seeded noise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from mmdet2tflite.errors import DataError, ModelError
from mmdet2tflite.graph.edit import constant, integer, is_op, readers, shape_of
from mmdet2tflite.graph.inputs import spatial_axes
from mmdet2tflite.passport import Preprocessing
from mmdet2tflite.runtime.images import images_in, input_tensor

type Array = NDArray[Any]
type Feed = dict[str, Array]

NOISE_SAMPLES = 4
SEED = 0
MOST_INTEGER = 8
"""Integers are drawn below it, and below the length of what they index."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Feeds of a network (its inputs by name, as the ONNX has them), and what they are."""

    feeds: Sequence[Feed]
    what: str


def noise(inputs: Sequence[ir.Value], count: int = NOISE_SAMPLES) -> Samples:
    """Seeded numbers for every input, of its shape and type.

    1. Standard normal for floats, true and false, bytes of 0 to 255. Every second sample of floats
       is doubled and rounded: what compares with a whole number, or values with each other, must
       find some that are equal.
    2. Integers from 0; below the axis that they index, where a Gather of a constant reads them.
    """
    random = np.random.default_rng(SEED)
    arrays = {str(value.name): _draw(random, value, count) for value in inputs}
    feeds = [
        {name: np.asarray(array[index]) for name, array in arrays.items()}  # of a scalar, too
        for index in range(count)
    ]
    return Samples(feeds, f"{count} inputs of normal noise, seed {SEED}")


def _draw(random: np.random.Generator, value: ir.Value, count: int) -> Array:
    assert value.dtype is not None
    shape, kind = (count, *shape_of(value)), value.dtype.numpy()
    if kind.kind == "f":
        values = random.standard_normal(shape)
        values[1::2] = np.rint(2 * values[1::2])
        return values.astype(kind)
    if kind.kind == "b":
        return random.random(shape) < 0.5
    most = 256 if kind.itemsize == 1 else min([*_lengths(value), MOST_INTEGER])
    least = np.iinfo(kind).min if kind == np.int8 else 0
    return random.integers(least, least + most, shape).astype(kind)


def _lengths(value: ir.Value) -> Iterator[int]:
    """Rule 2."""
    for node in readers(value):
        if is_op(node, "Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze"):
            yield from _lengths(node.outputs[0])
        elif is_op(node, "Gather") and node.inputs[1] is value:
            table = constant(node.inputs[0])
            if table is not None:
                yield table.shape[integer(node, "axis", 0)]


def given(
    source: Path, preprocessing: Preprocessing, inputs: Sequence[ir.Value], count: int
) -> Samples:
    """The first images of a folder, letterboxed, or the first inputs of an ``.npy`` file.

    Args:
        count: how many at most.

    Raises:
        DataError: no such folder or file, no images in it, or something that cannot be read.
        ModelError: the network does not take one colour image, or inputs of that shape.
    """
    return (_arrays if source.suffix == ".npy" else _images)(source, preprocessing, inputs, count)


def _arrays(
    file: Path, preprocessing: Preprocessing, inputs: Sequence[ir.Value], count: int
) -> Samples:
    try:
        arrays = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read: {error}", "an .npy file of numbers") from None
    value, *others = inputs
    shape = shape_of(value)
    if others or arrays.ndim != len(shape) or arrays.shape[1:] != shape[1:] or not len(arrays):
        described = ", ".join(f"{value.name} {list(shape_of(value))}" for value in inputs)
        raise ModelError(
            f"{file} has the shape {list(arrays.shape)}",
            f"samples for {described}",
            "give as many axes as the one input has, the first of them the samples",
        )
    assert value.dtype is not None
    step, most = shape[0], min(count * shape[0], len(arrays) // shape[0] * shape[0])
    feeds = [
        {str(value.name): np.asarray(arrays[start : start + step], value.dtype.numpy())}
        for start in range(0, most, step)
    ]
    return Samples(feeds, f"{len(feeds)} inputs of {file}")


def _images(
    folder: Path, preprocessing: Preprocessing, inputs: Sequence[ir.Value], count: int
) -> Samples:
    image, *others = inputs
    axes, shape = spatial_axes(image), shape_of(image)
    is_float = image.dtype == ir.DataType.FLOAT
    channels = axes and shape[1 if axes == (2, 3) else 3]
    if others or not is_float or shape[0] != 1 or channels != 3:
        described = ", ".join(f"{value.name} {list(shape_of(value))}" for value in inputs)
        raise ModelError(
            f"inputs {described}", "one colour image for --calibration", "leave it out"
        )
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder", "a folder of images", "check --calibration")
    paths = images_in(folder)[:count]
    feeds = []
    for path in paths:
        tensor = input_tensor(path, preprocessing)[0]
        layout = tensor if axes == (2, 3) else tensor.transpose(0, 2, 3, 1)
        feeds.append({str(image.name): np.ascontiguousarray(layout)})
    return Samples(feeds, f"{len(paths)} images of {folder}")
