"""Ratios within rounds, and their spread."""

import pytest

from benchmarks.conversion.ratios import Spread, ratios, spread


def test_a_machine_that_slows_down_for_a_round_changes_no_ratio():
    speed = [1, 7, 0.5, 100]
    rounds = {"base": [4 * s for s in speed], "half": [2 * s for s in speed]}
    assert ratios(rounds, "base") == {"base": Spread(*[1.0] * 5), "half": Spread(*[0.5] * 5)}


def test_ratios_are_of_the_same_round_and_not_of_medians():
    found = ratios({"base": [1, 2, 4], "a": [4, 2, 1]}, "base")["a"]
    assert (found.low, found.median, found.high) == (0.25, 1.0, 4.0)


def test_quartiles_lie_a_quarter_of_the_way_between_the_extremes():
    assert spread([0, 8, 2, 6, 4]) == Spread(low=0, lower=2, median=4, upper=6, high=8)
    assert spread([0, 1]) == Spread(low=0, lower=0.25, median=0.5, upper=0.75, high=1)


def test_a_single_round_has_no_spread():
    assert spread([3.0]) == Spread(*[3.0] * 5)


def test_a_model_that_missed_a_round_is_not_compared():
    with pytest.raises(ValueError, match="longer"):
        ratios({"base": [1, 2], "a": [1]}, "base")
