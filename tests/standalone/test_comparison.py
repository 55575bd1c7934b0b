"""Outputs that are right but for the order of their axes, and what rounding explains."""

import numpy as np
import onnx_ir as ir
import pytest

from mmdet2tflite.convert.samples import Samples, noise
from mmdet2tflite.errors import ParityError
from mmdet2tflite.parity.check import check_parity
from mmdet2tflite.parity.parity import tensor_error
from mmdet2tflite.standalone.comparison import better_orders, rounding_noise
from tests.graph.passes.tiny import build, node

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (0, 3, 1, 2), (0, 1, 3, 2)])
def test_the_order_of_a_cube_is_found_by_its_values(order: tuple[int, ...]) -> None:
    values = RANDOM.standard_normal((2, 1, 5, 5, 5)).astype(np.float32)
    left = values.transpose(0, *(axis + 1 for axis in order))
    assert better_orders({"y": values}, {"y": left}, 1e-4) == {"y": order}


def test_an_output_that_is_right_or_wrong_in_every_order_has_no_better_one() -> None:
    values = RANDOM.standard_normal((2, 1, 5, 5)).astype(np.float32)
    assert better_orders({"y": values}, {"y": values}, 1e-4) == {}
    assert better_orders({"y": values}, {"y": values + 1}, 1e-4) == {}


def network(bias: float) -> ir.Model:
    """(1000 · mean of x + bias) - bias: what is left of a sum after a large number has gone."""
    constants = {
        "w": np.full((1, 2, 1, 1), 500, np.float32),
        "large": np.float32([bias]),
        "as_large": np.float32([bias]),
    }
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Add", ["c", "large"], ["a"]),
        node("Sub", ["a", "as_large"], ["y"]),
    ]
    return ir.from_proto(build(nodes, constants, image=(1, 2, 4, 4), opset=13))


def test_rounding_explains_no_more_than_some_units_in_the_last_place() -> None:
    model = network(0)
    samples = noise(model.graph.inputs)
    values = [500 * feed["x"].sum(axis=1) for feed in samples.feeds]
    largest = float(np.abs(values).max())
    (explained,) = rounding_noise(model, samples).values()
    assert 0 < explained.max_abs < 8 * largest * float(np.finfo(np.float32).eps)


def test_where_a_large_number_cancels_rounding_explains_its_last_place() -> None:
    model = network(2.0**23)
    (explained,) = rounding_noise(model, noise(model.graph.inputs)).values()
    assert 1 <= explained.max_abs <= 4  # 2^23 has a last place of 1


def test_nothing_explains_a_difference_of_integers() -> None:
    graph = build([node("Cast", ["x"], ["y"], to=6)], {}, image=(1, 2, 4, 4), opset=13)
    graph.graph.output[0].type.tensor_type.elem_type = 6
    ones = Samples([{"x": np.ones((1, 2, 4, 4), np.float32)}], "ones")
    assert rounding_noise(ir.from_proto(graph), ones) == {}


def test_a_few_elements_that_jump_do_not_excuse_all_others() -> None:
    values = RANDOM.standard_normal((1, 1000)).astype(np.float32)
    jump = values.copy()
    jump[0, 3] += 1
    noise_of = {"y": tensor_error(values, jump)}
    check_parity({"y": values}, {"y": jump}, 1e-4, "a against b", noise_of)
    with pytest.raises(ParityError):
        check_parity({"y": values}, {"y": values + 0.5}, 1e-4, "a against b", noise_of)


def test_a_comparison_of_the_input_is_not_excused() -> None:
    constants = {"one": np.float32([1]), "w": np.full((1, 2, 1, 1), 3, np.float32)}
    nodes = [
        node("Equal", ["x", "one"], ["same"]),
        node("Where", ["same", "x", "one"], ["chosen"]),
        node("Conv", ["chosen", "w"], ["y"]),
    ]
    model = ir.from_proto(build(nodes, constants, image=(1, 2, 4, 4), opset=13))
    (explained,) = rounding_noise(model, noise(model.graph.inputs)).values()
    assert explained.max_abs < 1e-4
