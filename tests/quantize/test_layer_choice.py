"""Which layers stay float32, given what each loses and costs."""

import pytest

from mmdet2tflite.quantize.layer_choice import cheapest, costs_of, fewest, ranked
from mmdet2tflite.quantize.layer_groups import Layer


def layer(name: str, values: int = 1, multiplications: int = 1) -> Layer:
    return Layer("CONV_2D", (name, f"{name}/out"), (), values, multiplications)


def names(layers: list[Layer]) -> str:
    return "".join(each.name for each in layers)


def test_a_cost_is_the_mean_of_multiplications_and_values():
    layers = [layer("a", values=1, multiplications=9), layer("b", values=9, multiplications=1)]
    layers.append(layer("rest", values=90, multiplications=90))
    assert costs_of(layers) == pytest.approx({"a": 0.05, "b": 0.05, "rest": 0.9})


def test_costs_of_a_network_without_multiplications_are_those_of_its_values():
    layers = [layer("a", values=1, multiplications=0), layer("b", values=3, multiplications=0)]
    assert costs_of(layers) == pytest.approx({"a": 0.125, "b": 0.375})


def test_layers_are_ranked_by_their_share_per_cost():
    layers = [layer("a", 1, 1), layer("b", 10, 10), layer("c", 2, 2)]
    assert names(ranked(layers, {"a": 0.2, "b": 0.5, "c": 0.3})) == "acb"


@pytest.mark.parametrize("needed", range(1, 12))
def test_the_fewest_are_found_that_keep_the_budget(needed):
    asked = []

    def loss(real: list[Layer]) -> float:
        asked.append(len(real))
        return 0.5 if len(real) >= needed else 0.51

    found, left = fewest([layer(str(number)) for number in range(12)], loss, 0.5)
    assert (len(found), left) == (needed, 0.5)
    assert len(asked) <= 4  # of 12: a power of two


LIGHT = [layer(name, values=5, multiplications=4) for name in "abcde"]
STEM = layer("stem", values=1, multiplications=30)
REST = layer("rest", values=99, multiplications=100)
SHARES = {"stem": 0.5, **dict.fromkeys("abcde", 0.02), "rest": 0.4}


@pytest.mark.parametrize(
    ("loss_without_stem", "expected"),
    [(0.2, "abcde"), (0.9, "stem")],  # or all others have to be real: 120
)
def test_a_heavy_layer_stays_only_where_the_light_ones_do_not_do(loss_without_stem, expected):
    def loss(real: list[Layer]) -> float:
        if len(real) == 7 or STEM in real:
            return 0.0
        return loss_without_stem if len(real) >= 5 else 0.9

    found, _ = cheapest([*LIGHT, STEM, REST], SHARES, loss, budget=0.5)
    # Of the 150 multiplications the stem has 30, the five together 20.
    assert names(found) == expected


def test_without_a_heavy_layer_among_them_the_search_is_made_once():
    asked = []

    def loss(real: list[Layer]) -> float:
        asked.append(names(real))
        return 0.5

    found, _ = cheapest([*LIGHT, REST], SHARES, loss, budget=0.5)
    assert names(found) == "a"
    assert len(asked) <= 3


def test_where_no_part_is_enough_all_are_taken_and_nothing_is_lost():
    layers = [layer(name) for name in "abc"]
    assert fewest(layers, lambda real: 1.0, 0.5) == (layers, 0.0)
