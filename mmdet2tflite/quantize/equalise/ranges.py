"""What each channel of a network's tensors holds, measured on calibration images."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.backends.inner_tensors import TensorReader
from mmdet2tflite.runtime.decode import Floats
from mmdet2tflite.tflite.flatbuffer import parse_model

type Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class ChannelRanges:
    """Of one tensor.

    Args:
        lowest, highest: of each channel in each image (images x C).
        variance: of each channel, mean over images (C).
    """

    lowest: Numbers
    highest: Numbers
    variance: Numbers


def measure_ranges(
    content: bytes, samples: Sequence[Floats], names: Collection[str]
) -> dict[str, ChannelRanges]:
    """The ranges of these tensors, by name.

    Args:
        content: a float32 file with one input.
        samples: inputs as it wants them, at least one.
        names: of tensors whose last axis is that of the channels.
    """
    reader = TensorReader(parse_model(content, "the float32 file"))
    wanted = set(names)
    details = {detail["name"]: detail for detail in reader.details if detail["name"] in wanted}
    found: dict[str, list[Numbers]] = {name: [] for name in details}
    for sample in samples:
        reader.run(sample)
        for name, detail in details.items():
            value = reader.read(detail)
            rows = value.reshape(-1, value.shape[-1])
            found[name].append(np.stack([rows.min(0), rows.max(0), rows.var(0)]).astype(float))
    return {name: _of_images(np.array(rows)) for name, rows in found.items()}


def _of_images(rows: Numbers) -> ChannelRanges:
    return ChannelRanges(rows[:, 0], rows[:, 1], rows[:, 2].mean(0))
