"""What the decoders of all families do with raw maps."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Head
from mmdet2tflite.runtime.decode.types import Detections, Floats


def cells(
    outputs: Mapping[str, Floats], name: str, channels: int | None, rows: int, columns: int
) -> Floats:
    """An output (1, C, rows, columns) as (rows * columns, C), checked. Raises ModelError."""
    shape = _output(outputs, name).shape
    count = shape[1] if channels is None and len(shape) == 4 else channels
    if shape != (1, count, rows, columns):
        raise ModelError(
            f"the output {name} has the shape {list(shape)}",
            f"[1, {'channels' if channels is None else channels}, {rows}, {columns}] "
            "from the input size and the stride",
            "check input size and strides; the layout must be NCHW",
        )
    return outputs[name][0].reshape(shape[1], -1).T


def map_size(outputs: Mapping[str, Floats], name: str) -> tuple[int, int]:
    """Rows and columns of an output that may have any. Raises ModelError."""
    shape = _output(outputs, name).shape
    if len(shape) != 4:
        raise ModelError(
            f"the output {name} has the shape {list(shape)}", "a map: [1, channels, rows, columns]"
        )
    return shape[2], shape[3]


def _output(outputs: Mapping[str, Floats], name: str) -> Floats:
    if name not in outputs:
        raise ModelError(f"no output {name}; there are {', '.join(outputs)}", f"an output {name}")
    return outputs[name]


def corners(indices: NDArray[np.intp], columns: int, stride: int) -> Floats:
    """Top left corners (x, y) of cells in pixels of the input (N x 2): no half-cell offset."""
    places = np.stack([indices % columns, indices // columns], axis=1)
    return places.astype(np.float32) * np.float32(stride)


def of_level[T](values: Sequence[T], head: Head, number: int, name: str) -> T:
    """What a head has for the map of one stride. Raises ModelError: it has not one for each."""
    if len(values) != len(head.strides):
        raise ModelError(
            f"the head has {name} for {len(values)} maps and {len(head.strides)} strides",
            f"{name} for each stride",
            "convert the model again",
        )
    return values[number]


def concatenated(parts: Iterable[Detections]) -> Detections:
    """The detections of all levels as one."""
    levels = list(parts)
    oriented = [level.oriented for level in levels if level.oriented is not None]
    return Detections(
        np.concatenate([level.boxes for level in levels]),
        np.concatenate([level.scores for level in levels]),
        np.concatenate([level.labels for level in levels]),
        oriented=np.concatenate(oriented) if oriented else None,
    )


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x))."""
    with np.errstate(over="ignore"):  # exp(-x) is infinite for x < -88: the sigmoid is 0 there
        return np.reciprocal(1 + np.exp(-x))


def softmax(x: Floats) -> Floats:
    """exp(x) over its sum along the last axis."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
