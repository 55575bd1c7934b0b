"""Which layers stay float32, given what each loses and costs."""

import pytest

from mmdet2tflite.quantize.layer_choice import candidates, choose_real
from mmdet2tflite.quantize.layer_groups import Layer


def network(**costs: int) -> list[Layer]:
    """Layers whose cost is so many percent, in multiplications as in values."""
    rest = 100 - sum(costs.values())
    return [
        Layer("CONV_2D", (name, f"{name}/out"), (), cost, 10 * cost)
        for name, cost in {**costs, "rest": rest}.items()
    ]


def names(layers: list[Layer]) -> list[str]:
    return [layer.name for layer in layers]


def test_a_cost_is_the_mean_of_multiplications_and_values():
    # 9 % of the one and 1 % of the other: 5 %, which the first limit just allows. No other does.
    for values, multiplications in ((1, 9), (9, 1)):
        layers = [
            Layer("CONV_2D", ("a",), (), values, multiplications),
            Layer("CONV_2D", ("b",), (), 6, 6),
            Layer("CONV_2D", ("rest",), (), 94 - values, 94 - multiplications),
        ]
        found = list(candidates(layers, {"a": 0.5, "b": 0.4, "rest": 0.1}))
        assert [names(layers) for layers in found] == [["a"], ["a", "b"]]


def test_candidates_are_filled_by_share_and_by_share_per_cost_under_each_limit():
    layers = network(stem=5, a=2, b=3, c=4)
    shares = {"stem": 0.32, "a": 0.25, "b": 0.21, "c": 0.201, "rest": 0.019}
    found = [names(candidate) for candidate in candidates(layers, shares)]
    assert found == [
        ["stem"],  # 5 %: the largest share
        ["a", "b"],  # 5 %: the stem costs too much for what it brings
        ["stem", "a", "b"],  # 10 %, in either order
        ["stem", "a", "b", "c"],  # 15 %
    ]


def test_what_does_not_fit_is_passed_over_and_not_the_end():
    layers = network(big=16, small=1)
    found = [names(c) for c in candidates(layers, {"big": 0.6, "small": 0.36, "rest": 0.04})]
    assert found == [["small"]]


def test_a_layer_with_less_than_an_even_share_stays_quantised():
    layers = network(a=1, b=1)
    found = [names(c) for c in candidates(layers, {"a": 0.34, "b": 0.33, "rest": 0.33})]
    assert found == [["a"]]


SHARES = {"a": 0.3, "b": 0.28, "c": 0.26, "rest": 0.16}


def choose(left: dict[str, float]) -> tuple[list[str], float, list[str]]:
    """The choice, and what was measured, where a file's noise depends on its float32 layers."""
    measured = []

    def noise_left(layers):
        measured.append("".join(names(layers)))
        return left[measured[-1]]

    real, least = choose_real(network(a=4, b=5, c=6), SHARES, noise_left)
    return names(real), least, measured


def test_the_first_file_that_halves_the_noise_is_taken_and_nothing_measured_after_it():
    assert choose({"a": 0.8, "ab": 0.5}) == (["a", "b"], 0.5, ["a", "ab"])


def test_otherwise_it_is_the_file_with_the_least_noise():
    assert choose({"a": 0.7, "ab": 0.9, "abc": 0.8}) == (["a"], 0.7, ["a", "ab", "abc"])


def test_nothing_is_left_in_float32_if_that_does_not_help():
    assert choose({"a": 1.0, "ab": 1.1, "abc": 1.2}) == ([], 1.0, ["a", "ab", "abc"])


def test_layers_come_in_the_networks_order():
    found = list(candidates(network(a=1, b=1), {"a": 0.4, "b": 0.5, "rest": 0.1}))
    assert [names(candidate) for candidate in found] == [["a", "b"]]


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_network_of_one_large_layer_has_no_candidate(share):
    layers = network()
    assert list(candidates(layers, {"rest": share})) == []
