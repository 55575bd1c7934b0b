"""Rounding that lets gradients pass: the fake quantiser.

Integers are kept as float32 numbers. A value of a quantised tensor is *centred*: its stored integer
less its zero point, so that the real is ``scale * centred``, and zero stands for zero.

With y = accumulator * multiplier, the value is ``clamp(round(y), low, high)``; its derivative is
taken to be that of y inside the limits and 0 outside ("Estimating or Propagating Gradients Through
Stochastic Neurons", arXiv 1308.3432). Since the multiplier of an operator is made of its scales, and
readers multiply by the scale again, the derivative with respect to a scale comes out as that of
"Learned Step Size Quantization" (arXiv 1902.08153, equation 3): ``round(y) - y`` inside the limits,
the limit itself outside.
"""

from typing import Any

import torch
from torch import Tensor

type Limit = float


class Requantise(torch.autograd.Function):
    """``clamp(round_half_even(accumulator * multiplier), low, high)``.

    The multiplier is one number, or one for each channel of the last axis. As XNNPACK's kernels
    (``*_minmax_fp32``), it computes in float32 and rounds half to even.
    """

    @staticmethod
    def forward(
        ctx: Any, accumulator: Tensor, multiplier: Tensor, low: Limit, high: Limit
    ) -> Tensor:
        """Integers, as float32."""
        scaled = accumulator * multiplier
        inside = (scaled >= low - 0.5) & (scaled <= high + 0.5)
        ctx.save_for_backward(accumulator, multiplier, inside)
        return scaled.round_().clamp_(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Of the accumulator and of the multiplier."""
        accumulator, multiplier, inside = ctx.saved_tensors
        passed = gradients[0] * inside
        of_multiplier = None
        if ctx.needs_input_grad[1]:
            of_multiplier = (passed * accumulator).sum_to_size(multiplier.shape)
        of_accumulator = passed.mul_(multiplier) if ctx.needs_input_grad[0] else None
        return of_accumulator, of_multiplier, None, None


def requantise(accumulator: Tensor, multiplier: Tensor, low: Limit, high: Limit) -> Tensor:
    """``Requantise`` as a function."""
    result: Tensor = Requantise.apply(accumulator, multiplier, low, high)
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
