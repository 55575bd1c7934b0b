"""Pad arithmetic of convolutions and poolings along one spatial axis: integers, nothing else.

Notation: size H, kernel k, stride s, dilation d, pads (b, e), crop c.

1. Span: a window covers K = (k - 1)·d + 1 rows.
2. Output: n = floor((H - c + b + e - K) / s) + 1.
3. Position: tap j of output i reads row i·s - b + c + j·d. A row outside 0 … H - 1 is padding: zero
   for a convolution, no candidate for a max pooling.
4. Effective end: e* = (n - 1)·s + K - H - b + c. The windows reach e* rows past the last row of
   the input; where e* < 0, the last -e* rows are never read. Any end pad beyond e' = max(0, e*)
   is never read either.
5. SAME (TensorFlow): n = ceil(H / s), total = max(0, (n - 1)·s + K - H), begin = total // 2,
   end = total - begin. SAME_LOWER (ONNX) swaps begin and end.
6. SAME-equal: an axis is SAME if it has no crop and (b, e') are SAME's pads. The outputs then
   agree of themselves: if total > 0, e' = end > 0 gives (n - 1)·s + K = H + total on both sides; if
   total = 0, both are VALID, and SAME has as many outputs as fit.
7. Flip: with input and output flipped, tap k - 1 - j of output n - 1 - i reads row
   H - 1 - (i·s - b + c + j·d), which is rule 3 for a flipped kernel with the signed begin e*. A
   negative e* becomes a crop at the beginning: rows that are skipped, which no pad can express.
8. Widening (convolutions only): p zero taps before the kernel and q after it, at its dilation,
   leave every tap where it was if SAME of the larger kernel begins at b - c + p·d and
   n = ceil(H / s).

Sources: ONNX operator specification, Conv and MaxPool (2, 3, ``auto_pad`` of 5); PyTorch,
``torch.nn.Conv2d`` (2); TensorFlow, ``tf.nn``, "Notes on padding" (5). 4 and 6 to 8 follow
from 1 to 3 and 5.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from mmdet2tflite.errors import ModelError

type Pads = tuple[int, int]
"""Rows of padding before and after the input, (begin, end)."""


class Widening(NamedTuple):
    """Zero taps to add to a kernel, at its own dilation."""

    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One spatial axis of a convolution or pooling; the defaults are ONNX's.

    Args:
        size: rows of the input, H.
        kernel: taps, k.
        stride: rows from one window to the next, s.
        dilation: rows from one tap to the next, d.
        begin: rows of padding before the input, b.
        end: rows of padding after the input, e.
        crop: rows at the beginning of the input that are skipped, c. Only a flipped axis has any:
            fewer than the stride, and no pad before them.

    Raises:
        ModelError: a number is out of its range, or the kernel does not fit into the padded input.
    """

    size: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    begin: int = 0
    end: int = 0
    crop: int = 0

    def __post_init__(self) -> None:
        _check_positive(
            size=self.size, kernel=self.kernel, stride=self.stride, dilation=self.dilation
        )
        if min(self.begin, self.end) < 0:
            raise ModelError(
                f"pads ({self.begin}, {self.end})",
                "pads of 0 or more",
                "express a negative pad as a Slice before the layer",
            )
        if not 0 <= self.crop < self.stride or (self.crop and self.begin):
            raise ModelError(
                f"a crop of {self.crop} with pad {self.begin} and stride {self.stride}",
                "a crop of 0 or more, smaller than the stride, and only where nothing is padded",
            )
        if self.output < 1:
            raise ModelError(
                f"a kernel that covers {self.span} rows on an input of {self.size} rows with pads "
                f"({self.begin}, {self.end})",
                "at least one output",
                "use a larger input, or check kernel, dilation and pads of the layer",
            )

    @property
    def span(self) -> int:
        """Rows that one window covers, K = (k - 1)·d + 1 (rule 1; ONNX Conv)."""
        return _span(self.kernel, self.dilation)

    @property
    def output(self) -> int:
        """Rows of the output, n = floor((H - c + b + e - K) / s) + 1 (rule 2; torch.nn.Conv2d)."""
        return (self.size + self.signed_begin + self.end - self.span) // self.stride + 1

    @property
    def signed_begin(self) -> int:
        """Rows from the first window's first row to the input's first, b - c (rule 3)."""
        return self.begin - self.crop

    @property
    def signed_end(self) -> int:
        """Rows that windows reach past the input, e* = (n - 1)·s + K - H - b + c (rule 4).

        Negative where the last rows of the input are never read.
        """
        return (self.output - 1) * self.stride + self.span - self.size - self.signed_begin

    @property
    def effective_end(self) -> int:
        """The part of the end pad that windows reach, e' = max(0, e*) <= e (rule 4)."""
        return max(0, self.signed_end)

    @property
    def is_same(self) -> bool:
        """Whether TensorFlow's SAME does the same: c = 0, (b, e') = (begin, end) (rule 6)."""
        same = same_pads(self.size, self.kernel, self.stride, self.dilation)
        return self.crop == 0 and (self.begin, self.effective_end) == same

    def flip(self) -> "Axis":
        """The axis of the flipped kernel, with input and output flipped (rule 7).

        b' - c' = e* and e' = max(0, b - c). Flipped twice, an axis is itself but for the end pad
        that nothing reads.
        """
        return replace(
            self,
            begin=max(0, self.signed_end),
            end=max(0, self.signed_begin),
            crop=max(0, -self.signed_end),
        )

    def widening(self) -> Widening | None:
        """The fewest zero taps that make the axis SAME; (0, 0) where it is SAME already (rule 8).

        SAME of the larger kernel has total = max(0, b - c + e* + (p + q)·d), and half of it,
        rounded down, must be b - c + p·d. So one of these holds, and the smallest is the answer:

        - total = 0: b - c + p·d = 0, and e* + q·d <= 0, for which q = 0 is enough;
        - total is even: (q - p)·d = b - c - e*;
        - total is odd: (q - p)·d = b - c - e* + 1.

        The difference q - p is fixed in the last two, so the smallest p and q that are not
        negative are the solution: there is nothing to search and no bound to set.

        Returns:
            None if no widening exists: SAME has another number of outputs, ceil(H / s), or, on a
            dilated axis, the pads differ by a number of rows that no whole taps make up.
        """
        if self.output != same_output(self.size, self.stride):
            return None
        found = []
        # SAME never begins inside the input, so taps must make up for a crop: b - c + p·d >= 0.
        least = _ceil_div(self.crop, self.dilation)
        if self.signed_begin + least * self.dilation == 0 and self.signed_end <= 0:
            found.append(Widening(least, 0))
        for odd in (0, 1):
            difference, rest = divmod(self.signed_begin - self.signed_end + odd, self.dilation)
            if rest == 0:
                before = max(least, -difference)
                found.append(Widening(before, before + difference))
        return min(found, key=sum, default=None)


def same_output(size: int, stride: int) -> int:
    """Rows of the output under SAME, ceil(H / s) (rule 5; tf.nn, "Notes on padding").

    Raises:
        ModelError: a number is not positive.
    """
    _check_positive(size=size, stride=stride)
    return _ceil_div(size, stride)


def same_pads(size: int, kernel: int, stride: int, dilation: int) -> Pads:
    """TensorFlow's SAME (rule 5; tf.nn, "Notes on padding").

    total = max(0, (ceil(H / s) - 1)·s + K - H), begin = total // 2, end = total - begin.

    Raises:
        ModelError: a number is not positive.
    """
    _check_positive(kernel=kernel, dilation=dilation)
    last_window = (same_output(size, stride) - 1) * stride
    total = max(0, last_window + _span(kernel, dilation) - size)
    begin = total // 2
    return begin, total - begin


def resolve_auto_pad(
    mode: str, size: int, kernel: int, stride: int, dilation: int, pads: Pads = (0, 0)
) -> Pads:
    """The explicit pads of ONNX's ``auto_pad`` (rule 5; ONNX operator specification, Conv).

    NOTSET: ``pads``. VALID: (0, 0). SAME_UPPER: TensorFlow's SAME, the odd row at the end.
    SAME_LOWER: the odd row at the beginning.

    Args:
        mode: the attribute ``auto_pad``.
        size, kernel, stride, dilation: as in ``Axis``.
        pads: the attribute ``pads`` along this axis; ONNX allows it under NOTSET only.

    Raises:
        ModelError: an unknown mode, pads beside a mode that sets them, or (except under NOTSET)
            a number that is not positive.
    """
    if mode == "NOTSET":
        return pads
    if any(pads):
        raise ModelError(
            f"pads {pads} beside auto_pad {mode}",
            "one of the two (ONNX operator specification, Conv)",
            "remove one of them from the node",
        )
    begin, end = same_pads(size, kernel, stride, dilation)
    match mode:
        case "VALID":
            return 0, 0
        case "SAME_UPPER":
            return begin, end
        case "SAME_LOWER":
            return end, begin
    raise ModelError(
        f"auto_pad {mode!r}",
        "NOTSET, VALID, SAME_UPPER or SAME_LOWER",
        "check the node with onnx.checker",
    )


def _span(kernel: int, dilation: int) -> int:
    return (kernel - 1) * dilation + 1


def _ceil_div(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ModelError(
                f"{name} {number}", "1 or more", "check the attributes and shapes of the layer"
            )
