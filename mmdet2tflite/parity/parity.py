"""How far a model is from the one it was made of: per output tensor, and as detections."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmdet2tflite.errors import ModelError
from mmdet2tflite.parity.overlap import pairwise_iou
from mmdet2tflite.runtime.decode import Detections, Floats

SNR_LIMIT = 200.0
"""dB. Float32 has 24 bits of mantissa, about 144 dB, so equality may well read as 200."""

MATCH_IOU = 0.5

COUNTED_SCORE = 0.3
"""Detections below are noise to the detector's user (an application's own threshold is
usually 0.3 or more), and near the decoder's threshold of 0.01 they come and go with the last bit.
"""


@dataclass(frozen=True)
class TensorError:
    """The error of one output.

    ``max_abs`` in the tensor's unit, ``relative`` as a fraction of the reference's range (max -
    min), ``snr_db`` = 10 log10(sum reference² / sum difference²), limited to ±200 dB.
    """

    max_abs: float
    relative: float
    snr_db: float


def tensor_error(reference: Floats, candidate: Floats) -> TensorError:
    """Compare two tensors of one shape.

    The range of a constant reference is taken to be its magnitude, and 1 if that is zero. A value
    that is not finite, on either side, is an infinite error: a NaN would pass any tolerance. So is
    any difference of integers or truth values, relative to the range: they are not rounded.
    """
    if not reference.size:
        return TensorError(0.0, 0.0, SNR_LIMIT)
    if not (np.isfinite(reference).all() and np.isfinite(candidate).all()):
        return TensorError(math.inf, math.inf, -SNR_LIMIT)
    expected = reference.astype(np.float64)
    difference = candidate.astype(np.float64) - expected
    max_abs = float(np.abs(difference).max())
    if reference.dtype.kind != "f" and max_abs:
        return TensorError(max_abs, math.inf, -SNR_LIMIT)
    span = float(np.ptp(expected)) or float(np.abs(expected).max()) or 1.0
    signal, noise = float((expected**2).sum()), float((difference**2).sum())
    return TensorError(max_abs, max_abs / span, decibel(signal, noise))


def decibel(signal: float, noise: float) -> float:
    """10 log10(signal / noise) of two powers, limited to ±200 dB."""
    if noise == 0:
        return SNR_LIMIT
    if signal == 0:
        return -SNR_LIMIT
    return float(np.clip(10 * math.log10(signal / noise), -SNR_LIMIT, SNR_LIMIT))


def worst(errors: list[TensorError]) -> TensorError:
    """Each number's worst over images, or over tensors."""
    return TensorError(
        max(error.max_abs for error in errors),
        max(error.relative for error in errors),
        min(error.snr_db for error in errors),
    )


def compare_outputs(
    reference: Mapping[str, Floats], candidate: Mapping[str, Floats]
) -> dict[str, TensorError]:
    """Worst error over images of every output.

    Args:
        reference, candidate: by name, with the images along the first axis.

    Raises:
        ModelError: the two do not have the same outputs in the same shapes.
    """
    shapes, found = (
        {name: list(value.shape[1:]) for name, value in sorted(side.items())}
        for side in (reference, candidate)
    )
    if shapes != found:
        raise ModelError(
            f"the model has the outputs {found}",
            f"those of the model it was made of: {shapes}",
            "compare a model with its own source",
        )
    return {
        name: worst(
            [tensor_error(a, b) for a, b in zip(reference[name], candidate[name], strict=True)]
        )
        for name in reference
    }


@dataclass(frozen=True)
class DetectionError:
    """The difference of two models' detections, over all images.

    ``lost`` and ``new`` count detections that only the reference and only the candidate has. Means
    and extremes are over the matched pairs, and None without a pair. ``matching_score``: cut there,
    as many of the candidate's detections are left as the reference has over 0.3; None if it has not
    so many, or if there are none.
    """

    pairs: int
    lost: int
    new: int
    iou_mean: float | None
    iou_min: float | None
    score_difference_mean: float | None
    score_difference_max: float | None
    matching_score: float | None = None


def compare_detections(
    reference: Mapping[int, Detections], candidate: Mapping[int, Detections]
) -> DetectionError:
    """Match two models' detections, image by image.

    1. The reference's detections are taken by descending score; each takes the free detection of
       its class with the highest IoU, if that is at least 0.5.
    2. All detections take part, so that 0.31 that became 0.29 is a pair and not a loss.
    3. A pair counts if one of its scores is at least 0.3; an unmatched detection if its own is.

    Args:
        reference, candidate: detections by image id; the same images and one kind of boxes.
    """
    ious: list[float] = []
    differences: list[float] = []
    lost = new = 0
    for image_id, expected in reference.items():
        found = candidate[image_id]
        pairs = match(expected, found)
        for i, (j, iou) in pairs.items():
            scores = float(expected.scores[i]), float(found.scores[j])
            if max(scores) >= COUNTED_SCORE:
                ious.append(iou)
                differences.append(abs(scores[0] - scores[1]))
        lost += _unmatched(expected, set(pairs))
        new += _unmatched(found, {j for j, _ in pairs.values()})
    score = _matching_score(list(reference.values()), list(candidate.values()))
    if not ious:
        return DetectionError(0, lost, new, None, None, None, None, score)
    return DetectionError(
        pairs=len(ious),
        lost=lost,
        new=new,
        iou_mean=math.fsum(ious) / len(ious),
        iou_min=min(ious),
        score_difference_mean=math.fsum(differences) / len(differences),
        score_difference_max=max(differences),
        matching_score=score,
    )


def match(expected: Detections, found: Detections) -> dict[int, tuple[int, float]]:
    """Rule 1 above: index into ``expected`` → (index into ``found``, IoU)."""
    pairs: dict[int, tuple[int, float]] = {}
    if not len(found):
        return pairs
    overlap = pairwise_iou(expected, found)
    overlap[expected.labels[:, None] != found.labels] = 0
    for i in np.argsort(-expected.scores, kind="stable").tolist():
        j = int(overlap[i].argmax())
        if overlap[i, j] >= MATCH_IOU:
            pairs[i] = (j, float(overlap[i, j]))
            overlap[:, j] = 0
    return pairs


def _matching_score(
    reference: Sequence[Detections], candidate: Sequence[Detections]
) -> float | None:
    """Half-way between two scores of the candidate's, or 0.3 if that is as good."""
    count = sum(int((found.scores >= COUNTED_SCORE).sum()) for found in reference)
    scores = np.sort(np.concatenate([found.scores for found in candidate]))[::-1]
    if not 0 < count < len(scores):
        return None
    kept, cut = float(scores[count - 1]), float(scores[count])
    return COUNTED_SCORE if cut < COUNTED_SCORE <= kept else (kept + cut) / 2


def _unmatched(detections: Detections, matched: set[int]) -> int:
    counted = np.flatnonzero(detections.scores >= np.float32(COUNTED_SCORE)).tolist()
    return len(set(counted) - matched)


def parity_metrics(
    tensors: Mapping[str, TensorError], found: DetectionError | None
) -> dict[str, float]:
    """The flat metrics: the worst tensor, and the detections' means where there is a decoder."""
    metrics: dict[str, float | None] = {
        f"parity.{name}": value for name, value in asdict(worst(list(tensors.values()))).items()
    }
    if found is not None:
        metrics["parity.iou"] = found.iou_mean
        metrics["parity.score_difference"] = found.score_difference_mean
        metrics["parity.lost"] = float(found.lost)
        metrics["parity.new"] = float(found.new)
        metrics["parity.matching_score"] = found.matching_score
    return {name: value for name, value in metrics.items() if value is not None}


def parity_details(
    tensors: Mapping[str, TensorError], found: DetectionError | None
) -> dict[str, Any]:
    """Everything, as JSON."""
    return {
        "tensors": {name: asdict(error) for name, error in tensors.items()},
        "detections": None if found is None else asdict(found),
    }
