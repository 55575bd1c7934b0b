"""The parity check: a conversion computes its source's numbers on real images, or is refused."""

from collections.abc import Mapping, Sequence
from math import isinf, log10
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np

from mmdet2tflite.errors import ParityError
from mmdet2tflite.parity.parity import TensorError, compare_outputs, worst
from mmdet2tflite.passport import Preprocessing
from mmdet2tflite.runtime.decode import Floats
from mmdet2tflite.runtime.images import input_tensor

PARITY_IMAGES = 8
"""Validation images on which a conversion is compared with its source."""
TWICE_IN_DB = 20 * log10(2)
ROUNDINGS = 16
"""Units in the last place that two orders of summation may differ by, for values around the
largest of a map. Untrained networks reach 4."""


class Infers(Protocol):
    """What is needed of a runner."""

    def infer(self, tensor: Floats) -> dict[str, Floats]:
        """Raw outputs by name (1 x C x H x W)."""
        ...


def run_on_images(
    runner: Infers, images: Sequence[Path], preprocessing: Preprocessing
) -> dict[str, Floats]:
    """Raw outputs by name (images x C x H x W). Raises DataError for an unreadable image."""
    tensors = np.concatenate([input_tensor(path, preprocessing)[0] for path in images])
    return run_on_tensors(runner, tensors)


def run_on_tensors(runner: Infers, tensors: Floats) -> dict[str, Floats]:
    """Raw outputs by name, one sample (N x C x H x W) at a time."""
    outputs = [runner.infer(tensor[None]) for tensor in tensors]
    return {name: np.concatenate([output[name] for output in outputs]) for name in outputs[0]}


def check_parity(
    reference: Mapping[str, Floats],
    candidate: Mapping[str, Floats],
    tolerance: float,
    what: str,
    noise: Mapping[str, TensorError] = MappingProxyType({}),
) -> dict[str, float]:
    """Compare two models' outputs on the same images.

    Args:
        tolerance: largest absolute error allowed, as a fraction of the tensor's range.
        what: names the two models (``model.onnx against PyTorch``).
        noise: what roundings alone do to an output, by name.

    Returns:
        The worst errors as metrics: ``check.max_abs``, ``check.relative``, ``check.snr_db``.

    Raises:
        ParityError: a tensor misses the tolerance.
    """
    errors = compare_outputs(reference, candidate)
    missed = {
        name: error
        for name, error in errors.items()
        if _misses(error, reference[name], tolerance) and not _is_explained(error, noise.get(name))
    }
    if missed:
        name, error = max(missed.items(), key=lambda item: item[1].relative)
        if isinf(error.max_abs):
            whose = "second" if np.isfinite(reference[name]).all() else "first"
            raise ParityError(
                f"{what}: the output {name} of the {whose} is not finite (NaN or infinite)",
                "numbers that can be compared",
                "compare on inputs that the network is made for: `convert` takes images by "
                "--calibration",
            )
        raise ParityError(
            f"{what}: {len(missed)} of {len(errors)} outputs differ, {name} by "
            f"{error.max_abs:.3g}, {error.relative:.2g} of its range ({error.snr_db:.0f} dB)",
            f"at most {tolerance:g} of the range",
            "a wrong conversion; a larger `tolerance` in the experiment only hides it",
        )
    return error_metrics(errors)


def error_metrics(errors: Mapping[str, TensorError]) -> dict[str, float]:
    """The worst errors of all outputs: ``check.max_abs``, ``check.relative``, ``check.snr_db``."""
    total = worst(list(errors.values()))
    return {
        "check.max_abs": total.max_abs,
        "check.relative": total.relative,
        "check.snr_db": total.snr_db,
    }


def missed_outputs(
    reference: Mapping[str, Floats], candidate: Mapping[str, Floats], tolerance: float
) -> list[str]:
    """The outputs that ``check_parity`` would name."""
    errors = compare_outputs(reference, candidate)
    return [name for name, error in errors.items() if _misses(error, reference[name], tolerance)]


def _misses(error: TensorError, reference: Floats, tolerance: float) -> bool:
    if isinf(error.max_abs):  # and whatever rounding is of such a reference, it is no number
        return error.relative > tolerance
    return error.relative > tolerance and error.max_abs > _rounding(reference)


def _is_explained(error: TensorError, noise: TensorError | None) -> bool:
    """Two computations that are both as far from the truth may be twice as far from each other.

    By their largest difference, and by their power, too: where a threshold makes a few elements
    jump, the largest says nothing of all others.
    """
    if noise is None or isinf(error.max_abs):
        return False
    return error.max_abs <= 2 * noise.max_abs and error.snr_db >= noise.snr_db - TWICE_IN_DB


def _rounding(reference: Floats) -> float:
    """What floats alone explain: a nearly constant map has hardly a range to compare with."""
    if reference.dtype.kind != "f":
        return 0.0
    return ROUNDINGS * float(np.finfo(reference.dtype).eps) * float(np.abs(reference).max())
