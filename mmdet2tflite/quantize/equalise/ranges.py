"""What each channel of a network's tensors holds, measured on calibration images."""

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from mmdet2tflite.processes.machine import cores
from mmdet2tflite.runtime.decode import Floats

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
    with warnings.catch_warnings():  # LiteRT: it takes memory, use it to debug
        warnings.simplefilter("ignore", UserWarning)
        interpreter = Interpreter(
            model_content=content,
            num_threads=cores(),
            experimental_preserve_all_tensors=True,
        )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    wanted = set(names)
    indices = {
        detail["name"]: detail["index"]
        for detail in interpreter.get_tensor_details()
        if detail["name"] in wanted
    }
    found: dict[str, list[Numbers]] = {name: [] for name in indices}
    for sample in samples:
        interpreter.set_tensor(given["index"], np.ascontiguousarray(sample))
        interpreter.invoke()
        for name, index in indices.items():
            value = interpreter.get_tensor(index)
            rows = value.reshape(-1, value.shape[-1])
            found[name].append(np.stack([rows.min(0), rows.max(0), rows.var(0)]).astype(float))
    return {name: _of_images(np.array(rows)) for name, rows in found.items()}


def _of_images(rows: Numbers) -> ChannelRanges:
    return ChannelRanges(rows[:, 0], rows[:, 1], rows[:, 2].mean(0))
