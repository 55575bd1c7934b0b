"""Rounding that lets gradients pass: the fake quantiser.

Integers are kept as float32 numbers. A value of a quantised tensor is *centred*: its stored integer
less its zero point, so that the real is ``scale * centred``, and zero stands for zero.

With y = accumulator * multiplier, the value is ``clamp(round(y), low, high)``. Its derivative is
taken to be that of y where it is neither limit, and 0 at the limits ("Estimating or Propagating
Gradients Through Stochastic Neurons", arXiv 1308.3432). The multiplier of an operator is made of
its scales, and readers multiply by the scale again: so the derivative with respect to a scale comes
out as that of "Learned Step Size Quantization" (arXiv 1902.08153, equation 3), ``round(y) - y``
inside, the limit itself at the limits.

Both functions are written such that maps pass through memory as seldom as possible: that is what
an iteration spends its time on.
"""

from typing import Any

import torch
from torch import Tensor

SIGMOID_STEPS = 256
"""LOGISTIC's output scale is 1/256, its zero point -128 (TFLite's quantisation specification)."""

_inside = torch.ops.aten.hardtanh_backward
"""Its first argument where the second lies between the third and the fourth, elsewhere 0."""


class _Requantise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, accumulator: Tensor, multiplier: Tensor, low: float, high: float) -> Any:
        result = (accumulator * multiplier).round_().clamp_(low, high)
        ctx.save_for_backward(accumulator, multiplier, result)
        ctx.limits = low, high
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        accumulator, multiplier, result = ctx.saved_tensors
        passed = _inside(gradients[0], result, *ctx.limits)
        of_multiplier = None
        if ctx.needs_input_grad[1]:
            of_multiplier = (passed * accumulator).sum_to_size(multiplier.shape)
        of_accumulator = passed.mul_(multiplier) if ctx.needs_input_grad[0] else None
        return of_accumulator, of_multiplier, None, None


def requantise(accumulator: Tensor, multiplier: Tensor, low: float, high: float) -> Tensor:
    """``clamp(round_half_even(accumulator * multiplier), low, high)``.

    Computed in float32, as XNNPACK's kernels ``*_minmax_fp32`` do.

    Args:
        accumulator: of any shape.
        multiplier: one number, or one for each channel of the last axis.
    """
    result: Tensor = _Requantise.apply(accumulator, multiplier, low, high)
    return result


class _Silu(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, value: Tensor, scale: Tensor, multiplier: Tensor, low: float, high: float
    ) -> Any:
        gate = (value * scale).sigmoid_().mul_(SIGMOID_STEPS).round_().clamp_(0, SIGMOID_STEPS - 1)
        result = (gate * value).mul_(multiplier).round_().clamp_(low, high)
        ctx.save_for_backward(value, scale, multiplier, gate, result)
        ctx.limits = low, high
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        value, scale, multiplier, gate, result = ctx.saved_tensors
        passed = _inside(gradients[0], result, *ctx.limits)
        of_multiplier = (passed * value).mul_(gate).sum()
        passed.mul_(multiplier)
        sigmoid = gate / SIGMOID_STEPS
        of_real = torch.ops.aten.sigmoid_backward(passed * value, sigmoid).mul_(SIGMOID_STEPS)
        of_scale = (of_real * value).sum()
        of_value = of_real.mul_(scale).addcmul_(passed, gate)
        return of_value, of_scale, of_multiplier, None, None


def silu(value: Tensor, scale: Tensor, multiplier: Tensor, low: float, high: float) -> Tensor:
    """LOGISTIC and the MUL of its output with its input, in one.

    The sigmoid of ``value * scale`` is rounded to ``SIGMOID_STEPS``; ``value`` times that is
    requantised.
    """
    result: Tensor = _Silu.apply(value, scale, multiplier, low, high)
    return result


class _Replace(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, exact: Tensor) -> Tensor:
        return exact.view_as(exact)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def replace_value(value: Tensor, exact: Tensor) -> Tensor:
    """``exact`` itself, with the gradient of ``value``, of which it is a rounding."""
    result: Tensor = _Replace.apply(value, exact.detach())
    return result


def round_through(value: Tensor) -> Tensor:
    """Rounded half to even, with the gradient of what was rounded."""
    return replace_value(value, value.round())
