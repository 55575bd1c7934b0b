"""Which places pay, and the factors of their channels, from measured ranges.

An integer tensor has one step for all its channels, d = (highest - lowest) / 255, and rounding to
it is noise of the power d² / 12 in each. Scaled by s, a channel's noise is d² / (12 s²) in what the
readers compute. With the channels' factors s_c, a reader's kernels w (O x taps x C) and the
variance v_o of what it computes,

    noise(s) = mean over o of  (sum over c, taps of w_oc² d(s)² / (12 s_c²)) / v_o

for what the convolution writes and for what SiLU makes of it, added up, and the mean over readers.
d(s) is the step of the scaled tensor: the mean over images of its extremes.

1. A channel's range R_c is the mean over images of its largest magnitude, or the largest of all
   images. Factors that make all ranges alike are s_c = max R / R_c. They are too much of a good
   thing where the readers add channels up, since few images have all channels at their ends and
   those that hold most get no finer: the exponents 1/4, 1/2, 3/4 and 1 of s_c are tried, and the
   one with the least noise is taken.
2. A gate costs an operator. Where one is needed a place pays if its noise is over ``ENOUGH`` of the
   readers' signal, and falls below ``WORTH`` of that. Without one it pays if the noise falls.
"""

from collections.abc import Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.quantize.equalise.places import Place
from mmdet2tflite.quantize.equalise.ranges import ChannelRanges, Numbers
from mmdet2tflite.tflite.flatbuffer import constant, operator_name
from mmdet2tflite.tflite.moves import shape_of

LEVELS = 255
"""Steps of an 8-bit tensor's range."""
EXPONENTS = (0.25, 0.5, 0.75, 1.0)
LARGEST = 4096.0
"""Of all factors: a channel that is hardly ever anything but 0 does not get more."""
ENOUGH = 0.01
"""Of the signal, 20 dB below it; a single layer with less is one of many."""
WORTH = 0.4


def choose_factors(
    model: schema.ModelT, place: Place, ranges: Mapping[str, ChannelRanges]
) -> Numbers | None:
    """The factor of each channel (C), or None if the place does not pay (rule 2).

    Args:
        ranges: by tensor name, of what the place and its readers write.
    """
    noise = Noise(model, place, ranges)
    before = noise(np.ones(shape_of(model.subgraphs[0], place.read)[-1]))
    best: Numbers = min(_candidates(noise.tensors[-1]), key=noise)
    enough, worth = (ENOUGH, WORTH) if place.silu else (0.0, 1.0)
    return best if before > enough and noise(best) < worth * before else None


class Noise:
    """``noise`` above: what 8-bit integers at a place cost its readers, a fraction of their signal.

    Args:
        ranges: as those of ``choose_factors``.

    Attributes:
        tensors: the ranges of what the convolution writes, and of what SiLU makes of it.
    """

    def __init__(
        self, model: schema.ModelT, place: Place, ranges: Mapping[str, ChannelRanges]
    ) -> None:
        names = [tensor.name.decode() for tensor in model.subgraphs[0].tensors]
        self.tensors = [ranges[names[i]] for i in dict.fromkeys((place.written, place.read))]
        channels = shape_of(model.subgraphs[0], place.read)[-1]
        weights = [
            _weights(model, reader, ranges[names[int(reader.outputs[0])]].variance, channels)
            for reader in place.readers
        ]
        self._weights = np.mean(weights, axis=0)

    def __call__(self, factors: Numbers) -> float:
        """Of channels scaled by these factors (C)."""
        steps = sum(_step(tensor, factors) ** 2 for tensor in self.tensors)
        return float((self._weights * steps / (12 * factors**2)).sum())


def _step(tensor: ChannelRanges, factors: Numbers) -> float:
    lowest = min(0.0, float((tensor.lowest * factors).min(1).mean()))
    highest = max(0.0, float((tensor.highest * factors).max(1).mean()))
    return (highest - lowest) / LEVELS


def _candidates(tensor: ChannelRanges) -> list[Numbers]:
    """Rule 1."""
    magnitudes = np.maximum(-tensor.lowest, tensor.highest)
    found = []
    for channels in (magnitudes.mean(0), magnitudes.max(0)):
        largest = max(float(np.max(channels)), float(np.finfo(np.float32).tiny))
        factors = largest / np.maximum(channels, largest / LARGEST)
        found += [factors**exponent for exponent in EXPONENTS]
    return found


def _weights(
    model: schema.ModelT, reader: schema.OperatorT, variance: Numbers, channels: int
) -> Numbers:
    """The mean over o of w_oc² / v_o, summed over taps, of each channel read (C)."""
    stored = constant(model, model.subgraphs[0].tensors[int(reader.inputs[1])])
    assert stored is not None  # places.is_convolution
    squares = np.square(stored, dtype=np.float64).sum((1, 2))
    signal = np.maximum(variance, np.finfo(np.float32).tiny)
    if operator_name(model, reader) == "DEPTHWISE_CONV_2D":
        # A channel's results stand side by side.
        return np.asarray((squares[0] / signal / len(signal)).reshape(channels, -1).sum(1))
    return np.asarray((squares / signal[:, None]).mean(0))
