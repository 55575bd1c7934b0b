"""The command ``mmdet2tflite convert``: a few lines in the terminal about what came out."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mmdet2tflite.backends.magnitude_table import describe_overflow
from mmdet2tflite.standalone.convert_file import convert_file
from mmdet2tflite.standalone.reports import Conversion
from mmdet2tflite.standalone.request import Request
from mmdet2tflite.standalone.warm import WarmTools

if TYPE_CHECKING:
    from mmdet2tflite.quantize.file_request import FileResult


def convert_and_print(request: Request, warm: WarmTools) -> None:
    """Convert and say how it went. Raises what ``convert_file`` raises."""
    with _status_line() as say:
        conversion = convert_file(request, warm, say)
    for line in _lines(conversion):
        print(line)


@contextmanager
def _status_line() -> Iterator[Callable[[str], None]]:
    """One line of a terminal that says what is being done, and is gone at the end.

    By hand: rich takes as long to import as a small network to convert.
    """
    if not sys.stderr.isatty():
        yield lambda what: None
        return
    width = shutil.get_terminal_size().columns - 1
    try:
        yield lambda what: print(f"\r{what[:width]:<{width}}", end="", file=sys.stderr, flush=True)
    finally:
        print(f"\r{'':<{width}}\r", end="", file=sys.stderr, flush=True)


def _lines(conversion: Conversion) -> list[str]:
    passport, rewriting, metrics = conversion.passport, conversion.rewriting, conversion.metrics
    relative, decibel = metrics["check.relative"], metrics["check.snr_db"]
    source = "the ONNX" if passport.exact else "the rewritten graph (NOT the ONNX)"
    lines = [
        f"{conversion.file}: {passport.strategy} by {passport.converter}, "
        f"{metrics['size_mb']:.2f} MB, {metrics['pads']:.0f} PAD, "
        f"{metrics['transposes']:.0f} TRANSPOSE",
        f"largest error against {source}: {relative:.1g} of the output's range "
        f"({decibel:.0f} dB), over {conversion.samples}",
    ]
    if explained := metrics.get("check.explained_by_rounding"):
        lines.append(
            f"{explained:.0f} outputs miss the tolerance by no more than the network moves by when "
            "its weights are rounded otherwise"
        )
    if overflow := describe_overflow(conversion.magnitudes):
        lines.append(overflow)
    if not passport.exact:
        error = metrics["rewritten.relative"]
        lines.append(f"{passport.strategy} is inexact: {error:.1g} of the range from the ONNX")
    if passport.strategy == "engine":
        lines.append("exact only on a backend that honours the flag: docs/engine-flag.md")
    if passport.rotation.input:
        lines.append(
            "the file takes its input rotated by 180° and gives rotated maps: see passport"
        )
    for name, result in conversion.quantised.items():
        lines += _lines_of_precision(name, result)
    lines += [f"tried before: {each.sentence}" for each in conversion.tried]
    lines += [f"auto looked at {reason}" for reason in rewriting.reasons]
    return lines + [f"flipped inside: {sentence}" for sentence in rewriting.inner_flips]


def _lines_of_precision(name: str, result: "FileResult") -> list[str]:
    prefix = "check.snr_db."
    outputs = {
        key.removeprefix(prefix): value
        for key, value in result.metrics.items()
        if key.startswith(prefix)
    }
    shown = ", ".join(f"{output} {value:.0f} dB" for output, value in outputs.items())
    lines = [f"{name}: {result.metrics['size_mb']:.2f} MB; signal to noise: {shown}"]
    if result.losing:
        layers = ", ".join(f"{each.layer} {each.snr_db:.0f} dB" for each in result.losing)
        lines.append(f"{name} loses most in {layers}")
    if result.unlike:
        lines.append(f"{name}: {result.unlike}")
    return lines
