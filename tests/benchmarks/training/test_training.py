"""What two trainings are compared by."""

import pytest

from benchmarks.training.training import describe, difference
from benchmarks.training.training_request import WARMUP, Trained

SLOW = [9.0] * WARMUP  # must not count


def trained(seconds, *loss):
    return Trained(seconds=[*SLOW, *seconds], loss=loss)


def test_the_first_iterations_do_not_count_and_an_outlier_hardly():
    assert trained([0.2, 0.3, 5.0]).per_iteration == 0.3


def test_losses_are_compared_iteration_by_iteration():
    one, other = trained([1.0], 10.0, 4.0), trained([1.0], 11.0, 3.0)
    assert difference(one, other) == pytest.approx((1 / 10 + 1 / 4) / 2)


def test_trainings_of_different_length_are_not_compared():
    with pytest.raises(ValueError, match="zip"):
        difference(trained([1.0], 1.0), trained([1.0], 1.0, 2.0))


def test_the_ratio_is_that_of_two_trainings_of_one_round():
    rounds = [
        (trained([0.4], 10.0), trained([0.2], 10.1)),
        (trained([4.0], 10.0), trained([2.0], 10.1)),  # the machine was busy: the same ratio
        (trained([0.6], 10.0), trained([0.2], 10.1)),
    ]
    assert list(describe(rounds, trained([0.4], 10.2))) == [
        "times as fast: 2.00 (2.00 to 3.00)",
        "losses differ by 1.00% in the mean",
        "stock on another number of threads by 2.00%",
    ]
