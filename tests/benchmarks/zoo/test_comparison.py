"""Which errors the zoo's own check sees, and which differences are none."""

import numpy as np
import pytest

from benchmarks.zoo.comparison import (
    RIGHT,
    Tensor,
    allowed_errors,
    compare,
    image_noise,
    noise,
    output_errors,
)

REFERENCE = {"cls": np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)}


@pytest.mark.parametrize("name", ["cls", "cls:0", "serving_default_cls:0"])
def test_either_layout_and_what_converters_add_to_names_are_right(name):
    last = np.moveaxis(REFERENCE["cls"], 1, -1)
    assert output_errors(REFERENCE, {name: REFERENCE["cls"]}) == {"cls": 0}
    assert output_errors(REFERENCE, {name: last}) == {"cls": 0}


def test_an_error_is_relative_to_the_range():
    found = REFERENCE["cls"].copy()
    found[0, 1, 2, 3] += 2.3
    assert output_errors(REFERENCE, {"cls": found})["cls"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "found",
    [
        {"cls": np.swapaxes(REFERENCE["cls"], 2, 3)},
        {"cls": REFERENCE["cls"].reshape(1, 24)},
        {"cls": REFERENCE["cls"] * np.nan},
        {},
    ],
    ids=["height and width swapped", "flat", "no number", "missing"],
)
def test_what_cannot_be_the_output_is_infinitely_wrong(found):
    assert output_errors(REFERENCE, found) == {"cls": float("inf")}


def test_two_outputs_of_one_shape_must_not_change_places():
    reference = {"a": np.float32([[1, 2]]), "b": np.float32([[5, 7]])}
    swapped = {"a": reference["b"], "b": reference["a"]}
    assert min(output_errors(reference, swapped).values()) > 1


def test_outputs_of_other_names_are_told_by_their_shapes():
    reference = {"a": np.float32([[1, 2]]), "b": np.float32([[5, 7, 9]])}
    found = {"Identity": reference["b"], "Identity_1": reference["a"]}
    assert output_errors(reference, found) == {"a": 0, "b": 0}


def test_integers_are_equal_or_not():
    reference = {"index": np.int64([1000, 2000])}
    assert output_errors(reference, {"index": np.int32([1000, 2000])}) == {"index": 0}
    assert output_errors(reference, {"index": np.int64([1000, 2001])}) == {"index": float("inf")}


def test_inputs_go_in_by_name_and_in_the_layout_of_the_file():
    inputs = [Tensor("image", (1, 3, 4, 5)), Tensor("scale", (1, 1))]
    feed = noise(inputs, seed=0)
    seen = {}

    def run(given):
        seen.update(given)
        return {"y": given["image"].sum(keepdims=True) * given["scale"]}

    reference = {"y": feed["image"].sum(keepdims=True) * feed["scale"]}
    reference = {"y": reference["y"].astype(np.float32)}
    given = [Tensor("scale", (1, 1)), Tensor("image", (1, 4, 5, 3))]
    assert compare(reference, feed, given, run)["y"] < 1e-5
    assert seen["image"].shape == (1, 4, 5, 3)


def test_where_both_layouts_fit_the_better_one_counts():
    feed = noise([Tensor("cube", (1, 4, 4, 4))], seed=0)
    reference = {"y": feed["cube"][:, 0]}
    given = [Tensor("cube", (1, 4, 4, 4))]
    for channel in (lambda x: x[:, 0], lambda x: x[..., 0]):
        run = lambda given, channel=channel: {"y": channel(given["cube"])}  # noqa: E731
        assert compare(reference, feed, given, run) == {"y": 0}


def test_inputs_that_fit_no_layout_are_told():
    feed = noise([Tensor("image", (1, 3, 4, 5))], seed=0)
    with pytest.raises(ValueError, match=r"\(1, 3, 5, 4\)"):
        compare({}, feed, [Tensor("image", (1, 3, 5, 4))], dict)


def test_a_network_that_rounding_decides_is_allowed_what_it_moves_by_itself():
    feed = noise([Tensor("x", (1, 50))], seed=0)

    def network(steepness):
        return lambda given: {"y": np.sin(given["x"].astype(np.float64) * steepness)}

    for steepness, low, high in ((1, RIGHT, RIGHT), (1e5, 0.01, 1), (1e9, 1, 100)):
        run = network(steepness)
        assert low <= allowed_errors(run(feed), feed, run)["y"] <= high


def test_image_noise_is_what_pixels_become_by_imagenets_mean():
    image = image_noise([Tensor("image", (1, 3, 64, 64))], seed=0)["image"]
    assert image.min(axis=(0, 2, 3)) == pytest.approx([-2.1, -2.0, -1.8], abs=0.05)
    assert image.max(axis=(0, 2, 3)) == pytest.approx([2.25, 2.43, 2.64], abs=0.05)


def test_integer_inputs_get_whole_numbers():
    tensor = noise([Tensor("tokens", (1, 100), "int64")], seed=0)["tokens"]
    assert tensor.dtype == np.int64
    assert tensor.min() >= 0
    assert len(set(tensor.ravel().tolist())) > 3
