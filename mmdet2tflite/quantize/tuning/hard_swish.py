"""HARD_SWISH of int8 as LiteRT's own kernel computes it, in 16-bit fixed point (XNNPACK has none).

x is a centred integer, and "times m" a multiplication with a 16-bit fraction in [-1, 1).

1. ``high = 128 x``; its scale is that of the input divided by 128.
2. ``value = round(high times m_out)``, where ``m_out * 2**e_out`` is that scale over the output's.
3. ``gate``: high brought to a scale of 3 / 2**15 in the same way, saturated at 16 bits: -1 to 1
   stand for x = -3 to 3. Then ``(gate + 2**15) >> 1`` is half of relu6(x + 3) / 6.
4. The product of gate and value, doubled, its lower 16 bits dropped, is divided by 2**-e_out and
   rounded half away from zero.

Source: ``HardSwish`` and ``HardSwishPrepare`` of TensorFlow Lite's reference kernels; gemmlowp's
``SaturatingRoundingDoublingHighMul`` and ``RoundingDivideByPOT``.
"""

import math

import numpy as np
from numpy.typing import NDArray

HIGH = 128
GATE_SCALE = 3.0 / 2**15
BITS = 16
LEAST, LARGEST = -(2 ** (BITS - 1)), 2 ** (BITS - 1) - 1

type Integers = NDArray[np.int64]


def hard_swish_table(inputs: Integers, scale: float, output_scale: float) -> Integers:
    """Centred outputs, before they are limited to 8 bits, of centred inputs."""
    high = inputs * HIGH
    high_scale = np.float32(1 / HIGH) * np.float32(scale)
    fraction, exponent = _fraction(float(high_scale) / float(np.float32(output_scale)))
    gate_fraction, gate_exponent = _fraction(float(high_scale) / GATE_SCALE)
    value = _high_product(high, fraction)
    gate = high
    if gate_exponent > 0:
        gate = _saturate(gate << (gate_exponent - 1))
    gate = _high_product(gate, gate_fraction)
    if gate_exponent > 0:
        gate = _saturate(gate << 1)
    elif gate_exponent < 0:
        gate = _divide(gate, -gate_exponent)
    gate = (gate + 2 ** (BITS - 1)) >> 1
    product = _towards_zero(2 * gate * value, BITS)
    return _divide(product, -exponent) if exponent < 0 else product << exponent


def _fraction(ratio: float) -> tuple[int, int]:
    """``ratio = fraction / 2**15 * 2**exponent``: rounded to 31 bits, and that to 15."""
    mantissa, exponent = math.frexp(ratio)
    wide = math.floor(mantissa * 2**31 + 0.5)
    if wide == 2**31:
        wide, exponent = wide // 2, exponent + 1
    return min((wide + 2**15) >> BITS, LARGEST), exponent


def _high_product(value: Integers, fraction: int) -> Integers:
    """Rounded half away from zero: gemmlowp's, for operands that are not both -2**15."""
    product = value * fraction
    nudge = np.where(product >= 0, 2 ** (BITS - 2), 1 - 2 ** (BITS - 2))
    return _towards_zero(product + nudge, BITS - 1)


def _towards_zero(value: Integers, bits: int) -> Integers:
    return np.sign(value) * (np.abs(value) >> bits)


def _divide(value: Integers, bits: int) -> Integers:
    """By a power of two, rounded half away from zero."""
    if bits == 0:
        return value
    return np.sign(value) * ((np.abs(value) + 2 ** (bits - 1)) >> bits)


def _saturate(value: Integers) -> Integers:
    return np.clip(value, LEAST, LARGEST)
