from math import inf, log10

import numpy as np
import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.parity.parity import (
    SNR_LIMIT,
    DetectionError,
    TensorError,
    compare_detections,
    compare_outputs,
    parity_metrics,
    tensor_error,
)
from mmdet2tflite.runtime.decode import Detections


def tensor(*values):
    return np.array(values, np.float32)


# --- tensors ------------------------------------------------------------------------------------


def test_errors_are_absolute_relative_to_the_range_and_as_signal_to_noise():
    error = tensor_error(tensor(0, 1, 2, -2), tensor(0, 1, 2.5, -2))
    assert error.max_abs == 0.5
    assert error.relative == 0.5 / 4
    assert error.snr_db == pytest.approx(10 * log10(9 / 0.25))


def test_equal_tensors_have_the_largest_ratio_that_is_reported():
    assert tensor_error(tensor(1, 2), tensor(1, 2)) == TensorError(0, 0, SNR_LIMIT)


def test_noise_on_silence_has_the_smallest_ratio_and_is_measured_against_one():
    assert tensor_error(tensor(0, 0), tensor(0, 3)) == TensorError(3, 3, -SNR_LIMIT)


def test_a_constant_tensor_is_measured_against_its_magnitude():
    assert tensor_error(tensor(-4, -4), tensor(-4, -3)).relative == 0.25


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_an_infinite_error(broken):
    expected = TensorError(inf, inf, -SNR_LIMIT)
    assert tensor_error(tensor(0, 1), tensor(0, broken)) == expected
    assert tensor_error(tensor(0, broken), tensor(0, broken)) == expected


def test_an_outputs_error_is_its_worst_over_images():
    reference = {"cls_8": tensor([0, 1], [0, 10])}
    candidate = {"cls_8": tensor([0, 1.5], [0, 11])}
    error = compare_outputs(reference, candidate)["cls_8"]
    assert error.max_abs == 1  # the second image
    assert error.relative == 0.5  # the first: 0.5 of 1, against 1 of 10
    assert error.snr_db == pytest.approx(10 * log10(1 / 0.25))


def test_models_with_other_outputs_are_not_compared():
    with pytest.raises(ModelError, match="cls_16"):
        compare_outputs({"cls_8": tensor([0])}, {"cls_16": tensor([0])})
    with pytest.raises(ModelError, match=r"\[2\]"):
        compare_outputs({"cls_8": tensor([0])}, {"cls_8": tensor([0, 1])})


# --- detections -----------------------------------------------------------------------------------


def detections(*rows):
    """Rows of x1, y1, x2, y2, score, label."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(int)
    )


def compare(reference, candidate):
    return compare_detections({1: detections(*reference)}, {1: detections(*candidate)})


def test_a_matched_pair_gives_its_iou_and_the_difference_of_its_scores():
    # 10 wide, shifted by 1: 9 / 11
    error = compare([(0, 0, 10, 10, 0.75, 0)], [(1, 0, 11, 10, 0.5, 0)])
    assert error.pairs == 1
    assert error.iou_mean == error.iou_min == pytest.approx(9 / 11)
    assert error.score_difference_mean == error.score_difference_max == 0.25
    assert (error.lost, error.new) == (0, 0)


def test_means_and_extremes_are_over_the_pairs_of_all_images():
    box, half = (0, 0, 10, 10), (0, 0, 5, 10)
    error = compare_detections(
        {1: detections((*box, 0.5, 0)), 2: detections((*box, 0.5, 0))},
        {1: detections((*box, 0.5, 0)), 2: detections((*half, 1.0, 0))},
    )
    assert error == DetectionError(2, 0, 0, 0.75, 0.5, 0.25, 0.5, matching_score=None)


BOX = (0, 0, 10, 10)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (
            (0.6, 0.25, 0.1),
            0.175,
        ),  # two of the reference's are: between second and third
        ((0.9, 0.8, 0.5), 0.65),
        ((0.9, 0.3, 0.29), 0.3),  # as many at the same score
        ((0.9, 0.8), None),  # it has no third
    ],
)
def test_the_matching_score_leaves_as_many_detections_of_all_images(scores, expected):
    reference = {1: detections((*BOX, 0.3, 0)), 2: detections((*BOX, 0.5, 0), (*BOX, 0.2, 1))}
    first, *others = [(*BOX, score, label) for label, score in enumerate(scores)]
    candidate = {1: detections(first), 2: detections(*others)}
    found = compare_detections(reference, candidate).matching_score
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_pair_below_half_overlap_is_one_lost_and_one_new():
    error = compare([(0, 0, 10, 10, 0.9, 0)], [(0, 0, 4, 10, 0.9, 0)])
    assert error == DetectionError(0, 1, 1, None, None, None, None)


def test_classes_are_not_matched_with_each_other():
    error = compare([(0, 0, 10, 10, 0.9, 0)], [(0, 0, 10, 10, 0.9, 1)])
    assert (error.pairs, error.lost, error.new) == (0, 1, 1)


def test_a_detection_takes_the_highest_overlap():
    reference, better = (0, 0, 10, 10, 0.9, 0), (0, 0, 10, 9, 0.8, 0)
    error = compare([reference], [(0, 0, 10, 6, 0.9, 0), better])
    assert (error.pairs, error.iou_mean, error.new) == (1, 0.9, 1)


def test_the_detection_of_highest_score_chooses_first():
    # Both overlap the candidate; the pair with the second one differs by 0.0, with the first by 0.3
    error = compare([(0, 0, 10, 10, 0.5, 0), (0, 0, 10, 9, 0.8, 0)], [(0, 0, 10, 10, 0.8, 0)])
    assert (error.pairs, error.lost, error.score_difference_max) == (1, 1, 0.0)


def test_a_detection_is_matched_once():
    twice = [(0, 0, 10, 10, 0.9, 0), (0, 0, 10, 9, 0.8, 0)]
    error = compare(twice, twice[:1])
    assert (error.pairs, error.lost, error.new) == (1, 1, 0)
    error = compare(twice[:1], twice)
    assert (error.pairs, error.lost, error.new) == (1, 0, 1)


def test_detections_of_low_score_are_neither_lost_nor_new_nor_pairs():
    faint, fainter = (0, 0, 10, 10, 0.29, 0), (50, 50, 60, 60, 0.05, 0)
    assert compare([faint, fainter], [fainter]) == DetectionError(0, 0, 0, *[None] * 4)
    assert compare([fainter], [faint, fainter]) == DetectionError(0, 0, 0, *[None] * 4)


def test_a_score_that_slips_below_the_limit_is_a_pair_and_not_a_loss():
    error = compare([(0, 0, 10, 10, 0.31, 0)], [(0, 0, 10, 10, 0.29, 0)])
    assert (error.pairs, error.lost, error.new) == (1, 0, 0)


def test_images_without_detections_compare():
    nothing = DetectionError(0, 0, 0, None, None, None, None)
    assert compare([], []) == nothing
    assert compare([(0, 0, 1, 1, 0.9, 0)], []).lost == 1
    assert compare([], [(0, 0, 1, 1, 0.9, 0)]).new == 1


def test_metrics_are_the_worst_tensor_and_the_means_of_the_pairs():
    tensors = {"a": TensorError(1, 0.1, 20), "b": TensorError(2, 0.05, 10)}
    assert parity_metrics(tensors, DetectionError(4, 1, 2, 0.9, 0.6, 0.01, 0.2)) == {
        "parity.max_abs": 2,
        "parity.relative": 0.1,
        "parity.snr_db": 10,
        "parity.iou": 0.9,
        "parity.score_difference": 0.01,
        "parity.lost": 1,
        "parity.new": 2,
    }


def test_without_a_pair_there_is_no_mean():
    metrics = parity_metrics({"a": TensorError(0, 0, 1)}, DetectionError(0, 3, 0, *[None] * 4))
    assert "parity.iou" not in metrics
    assert "parity.score_difference" not in metrics
    assert metrics["parity.lost"] == 3
