"""How the operators of a TFLite file are taken apart to be timed."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.schema_py_generated import AbsOptionsT, HardSwishOptionsT, TensorType

from mmdet2tflite.tflite import operator_times as operator_times_module
from mmdet2tflite.tflite.computed_together import Group
from mmdet2tflite.tflite.flatbuffer import operator_name, read_model, serialise
from mmdet2tflite.tflite.operator_times import alone, operator_times, run_once
from tests.quantize.quantized_networks import network, picture, quantised
from tests.tflite.tflite_writer import Writer, infer

SHAPE = (1, 3, 4, 6)
LAYERS = {
    "cls_8": (np.full((1, 3, 1, 1), 2.0), np.array([0.5])),
    "obj_8": (np.ones((2, 3, 1, 1)), np.zeros(2)),
}


@pytest.fixture
def model(tmp_path, write_tflite):
    return read_model(write_tflite(tmp_path / "m.tflite", SHAPE, LAYERS, before=["PAD"]))


def test_every_operator_is_listed_in_the_files_order_with_its_output(model):
    times = operator_times(model)
    assert [(t.operator, t.layer) for t in times[1:]] == [
        ("CONV_2D", "cls_8"),
        ("CONV_2D", "obj_8"),
    ]
    assert times[0].operator == "PAD"  # two convolutions read it
    assert [t.shape for t in times[1:]] == [(1, 4, 6, 1), (1, 4, 6, 2)]
    assert all(t.milliseconds >= 0 for t in times)


def test_an_operator_alone_computes_what_it_computes_in_the_file(model):
    convolution = next(
        o for o in model.subgraphs[0].operators if operator_name(model, o) == "CONV_2D"
    )
    interpreter = Interpreter(model_content=serialise(alone(model, [convolution], run_once(model))))
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()  # weights and bias stay constants
    interpreter.set_tensor(given["index"], np.full(given["shape"], 3.0, np.float32))
    interpreter.invoke()
    (output,) = interpreter.get_output_details()
    assert np.all(interpreter.get_tensor(output["index"]) == 3 * 3.0 * 2 + 0.5)


def test_the_model_itself_stays_as_it_is(model):
    before = serialise(model)
    operator_times(model)
    assert serialise(model) == before


@pytest.mark.parametrize("precision", ["float16", "int8_weight", "int8_dynamic"])
def test_weights_that_are_made_real_once_are_no_operator_and_come_along_with_their_reader(
    precision,
):
    model = quantised(precision, network())
    made_once = run_once(model)
    assert {operator_name(model, o) for o in made_once.values()} <= {"DEQUANTIZE"}
    assert bool(made_once) == (precision != "int8_dynamic")
    assert [t.operator for t in operator_times(model) if t.operator != "RELU"] == ["CONV_2D"] * 2
    first = next(o for o in model.subgraphs[0].operators if operator_name(model, o) == "CONV_2D")
    single = alone(model, [first], made_once)
    assert len(single.subgraphs[0].inputs) == 1
    computed = infer(single, picture())["first"]
    np.testing.assert_allclose(computed, infer(model, picture())["first"], rtol=1e-5, atol=1e-4)


def test_an_operator_that_does_not_run_by_itself_is_left_out(model):
    last = model.subgraphs[0].operators[-1]
    model.subgraphs[0].tensors[last.outputs[0]].type = TensorType.INT32  # of a convolution of reals
    assert [(t.operator, t.layer) for t in operator_times(model)[1:]] == [("CONV_2D", "cls_8")]


def chain(*operators):
    """``(kind, output, *inputs)``, from ``x`` to ``y``, all maps of one shape."""
    writer, places = Writer(), {}
    for _, *names in operators:
        for name in names:
            if name not in places:
                places[name] = writer.tensor(name, (1, 64, 64, 16))
    for kind, output, *inputs in operators:
        writer.operator(kind, [places[name] for name in inputs], places[output])
    return writer.finish({"x": places["x"]}, {"y": places["y"]})


def swish_of_integers():
    """65,536 numbers, 8 bits in and out, real in between."""
    writer, shape = Writer(), (1, 64, 64, 16)
    x, y = (writer.tensor(name, shape, np.int8, 0.1) for name in "xy")
    real, swished = (writer.tensor(name, shape) for name in ("real", "swished"))
    writer.operator("DEQUANTIZE", [x], real)
    writer.operator("HARD_SWISH", [real], swished, HardSwishOptionsT())
    writer.operator("QUANTIZE", [swished], y)
    return writer.finish({"x": x}, {"y": y})


def test_what_is_computed_as_one_has_one_time_and_is_called_after_all_but_conversions():
    (silu,) = operator_times(chain(("LOGISTIC", "s", "x"), ("MUL", "y", "s", "x")))
    assert (silu.operator, silu.layer, silu.shape) == ("LOGISTIC, MUL", "y", (1, 64, 64, 16))
    (found,) = operator_times(swish_of_integers())
    assert (found.operator, found.layer) == ("HARD_SWISH", "swished")


def test_a_conversion_by_itself_has_its_own_name():
    writer = Writer()
    x, y = writer.tensor("x", SHAPE), writer.tensor("y", SHAPE, np.int8, 0.1)
    writer.operator("QUANTIZE", [x], y)
    (found,) = operator_times(writer.finish({"x": x}, {"y": y}))
    assert (found.operator, found.layer) == ("QUANTIZE", "y")


def test_a_table_takes_less_than_the_three_operators_that_it_stands_for(monkeypatch):
    (together,) = operator_times(swish_of_integers())
    monkeypatch.setattr(
        operator_times_module, "find_groups", lambda _, each: [Group([one]) for one in each]
    )
    apart = operator_times(swish_of_integers())
    assert 0 < together.milliseconds < sum(each.milliseconds for each in apart)


def test_operators_together_give_what_others_read_of_them():
    model = chain(("ABS", "a", "x"), ("NEG", "n", "a"), ("ADD", "y", "a", "n"))
    operators = model.subgraphs[0].operators
    piece = alone(model, operators[:2], {})
    names = [piece.subgraphs[0].tensors[index].name for index in piece.subgraphs[0].outputs]
    assert names == [b"a", b"n"]
    whole = alone(model, operators, {})
    names = [whole.subgraphs[0].tensors[index].name for index in whole.subgraphs[0].outputs]
    assert names == [b"y"]


def test_being_called_takes_no_time_that_counts():
    """A file that does nothing is timed as nothing, within the noise of a clock."""
    writer = Writer()
    x, y = writer.tensor("x", (1,)), writer.tensor("y", (1,))
    writer.operator("ABS", [x], y, AbsOptionsT())
    (found,) = operator_times(writer.finish({"x": x}, {"y": y}))
    assert found.milliseconds < 0.0005  # called, it takes 0.0012
