"""How large the tensors inside a file become, by arithmetic, and what is said of float16."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.backends.magnitude_table import (
    FLOAT16_MAX,
    Magnitude,
    describe_overflow,
    largest_tensors,
    magnitude_metrics,
    magnitude_table,
    written,
)
from mmdet2tflite.backends.magnitudes import LARGEST, largest_magnitudes, magnitudes_on
from mmdet2tflite.tflite.flatbuffer import write_model
from mmdet2tflite.tflite.padding_flag import write_flags
from tests.quantize.quantized_networks import network, picture, quantised
from tests.tflite.flagged import CHAIN_FLAGS, chain
from tests.tflite.tflite_writer import Writer

SHAPE = (1, 4, 6, 1)
ONES = np.ones(SHAPE, np.float32)

pytestmark = pytest.mark.filterwarnings("ignore:Warning. Enabling `experimental_preserve")


def scaled(*factors: float) -> schema.ModelT:
    """image → ``x0`` → ``x1`` …, each its factor times the one before."""
    writer = Writer()
    value = image = writer.tensor("image", SHAPE)
    for number, factor in enumerate(factors):
        kernel = writer.constant(f"k{number}", np.full((1, 1, 1, 1), factor, np.float32))
        bias = writer.constant(f"b{number}", np.zeros(1, np.float32))
        value = writer.conv(value, kernel, bias, writer.tensor(f"x{number}", SHAPE))
    return writer.finish({"image": image}, {f"x{number}": value})


def by_tensor(found: list[Magnitude]) -> dict[str, float]:
    return {each.tensor: each.largest for each in found}


def test_every_tensor_has_the_largest_magnitude_of_all_samples():
    found = largest_magnitudes(scaled(-40000, 1e-4), [{"": ONES}, {"": 2 * ONES}, {"": ONES}])
    assert by_tensor(found) == pytest.approx(
        {"image": 2, "k0": 40000, "b0": 0, "x0": 80000, "k1": 1e-4, "b1": 0, "x1": 8}
    )
    assert {each.tensor: each.operator for each in found}["image"] == "input"
    assert {each.operator for each in found[1:]} == {"CONV_2D"}
    assert found[3].shape == SHAPE


def test_what_exceeds_float16_is_named_with_its_operator():
    table = magnitude_table(largest_magnitudes(scaled(-40000, 1e-4), [{"": 2 * ONES}]), 1)
    assert describe_overflow(table) == (
        "x0 of CONV_2D reaches 80,000, and float16 ends at 65,504: a GPU that computes in float16 "
        "makes it infinite"
    )
    assert magnitude_metrics(table) == {"magnitude.largest": 80000}


def test_the_largest_number_of_float16_itself_does_not_exceed_it():
    assert np.float16(FLOAT16_MAX) == np.finfo(np.float16).max
    table = magnitude_table([Magnitude("x", "ADD", (1,), FLOAT16_MAX)], 1)
    assert describe_overflow(table) == ""


def test_the_worst_is_named_and_the_others_are_counted():
    found = [Magnitude(name, "MUL", (1,), size) for name, size in (("a", 7e4), ("b", 9e4))]
    table = magnitude_table([*found, Magnitude("c", "ADD", (1,), 1)], 1)
    assert describe_overflow(table).startswith("b of MUL reaches 90,000 (and 1 other tensor), ")
    assert [each["tensor"] for each in largest_tensors(table, 2)] == ["b", "a"]


def test_infinity_counts_as_the_largest_number_of_float32():
    found = by_tensor(largest_magnitudes(scaled(3e38, 10, 0), [{"": 2 * ONES}]))
    assert (found["x0"], found["x1"]) == (LARGEST, LARGEST)
    assert written(LARGEST) == "3.4e+38"


def padded(reader: str) -> schema.ModelT:
    """image → PADV2 ``p`` with the lowest number, read by this operator."""
    writer = Writer()
    image = writer.tensor("image", SHAPE)
    pads = writer.constant("pads", np.int32([[0, 0], [1, 1], [1, 1], [0, 0]]))
    fill = writer.constant("fill", np.float32([-LARGEST]))
    wide = writer.operator(
        "PADV2", [image, pads, fill], writer.tensor("p", (1, 6, 8, 1)), schema.PadV2OptionsT()
    )
    if reader == "MAX_POOL_2D":
        options = schema.Pool2DOptionsT(
            padding=schema.Padding.VALID, strideH=1, strideW=1, filterHeight=3, filterWidth=3
        )
        found = writer.operator(reader, [wide], writer.tensor("y", SHAPE), options)
    else:
        found = writer.operator(reader, [wide], writer.tensor("y", (1, 6, 8, 1)))
    return writer.finish({"image": image}, {"y": found})


def test_the_fill_in_front_of_a_maximum_is_no_number_of_the_network():
    found = largest_magnitudes(padded("MAX_POOL_2D"), [{"": -3 * ONES}])
    assert by_tensor(found) == {"image": 3, "y": 3}
    other = by_tensor(largest_magnitudes(padded("ABS"), [{"": -3 * ONES}]))
    assert other == {"image": 3, "p": LARGEST, "fill": LARGEST, "y": LARGEST}


@pytest.mark.parametrize("precision", ["float16", "int8_weight", "int8_dynamic"])
def test_files_with_small_weights_have_the_activations_of_float32(precision):
    expected = by_tensor(largest_magnitudes(network(), [{"": picture()}]))
    found = by_tensor(largest_magnitudes(quantised(precision, network()), [{"": picture()}]))
    for name in ("image", "first", "positive", "second"):
        assert found[name] == pytest.approx(expected[name], rel=0.02)


def test_a_file_with_padding_flags_is_looked_into_as_a_backend_that_honours_them_computes_it():
    image = np.zeros((1, 8, 8, 1), np.float32)
    image[0, 0, 0] = 10
    # SAME begins on the pixel itself, where the kernel (0 to 8) is 0; with a pad, it is in the
    # middle, which is 4.
    for flags, expected in (({}, 0), (CHAIN_FLAGS, 40)):
        model = chain()
        write_flags(model, flags)
        assert by_tensor(largest_magnitudes(model, [{"": image}]))["first"] == expected


def test_inputs_are_given_by_name_whatever_their_order():
    writer = Writer()
    a, b = (writer.tensor(name, SHAPE) for name in "ab")
    found = writer.operator("SUB", [a, b], writer.tensor("y", SHAPE), schema.SubOptionsT())
    model = writer.finish({"a": a, "b": b}, {"y": found})
    found = largest_magnitudes(model, [{"b": 5 * ONES, "a": 2 * ONES}])
    assert by_tensor(found) == {"a": 2, "b": 5, "y": 3}


def test_a_converted_file_is_looked_into_unless_it_is_too_large(tmp_path, monkeypatch):
    file = tmp_path / "m.tflite"
    write_model(scaled(3), file)
    inputs = {"x": np.stack([ONES, 2 * ONES])}
    table = magnitudes_on(file, inputs)
    assert (table["samples"], table["limit"]) == (2, 65504)
    assert {each["tensor"]: each["largest"] for each in table["tensors"]}["x0"] == 6
    monkeypatch.setattr("mmdet2tflite.backends.magnitudes.MOST_BYTES", 4 * 24)
    assert magnitudes_on(file, inputs)["tensors"] == []
