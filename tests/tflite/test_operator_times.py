"""How the operators of a TFLite file are taken apart to be timed."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.schema_py_generated import TensorType

from mmdet2tflite.tflite.flatbuffer import operator_name, read_model, serialise
from mmdet2tflite.tflite.operator_times import alone, operator_times, run_once
from tests.quantize.quantized_networks import network, picture, quantised
from tests.tflite.tflite_writer import infer

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
    assert times[0].operator == "PAD"
    assert [t.shape for t in times[1:]] == [(1, 4, 6, 1), (1, 4, 6, 2)]
    assert all(t.milliseconds > 0 for t in times)


def test_an_operator_alone_computes_what_it_computes_in_the_file(model):
    convolution = next(
        o for o in model.subgraphs[0].operators if operator_name(model, o) == "CONV_2D"
    )
    interpreter = Interpreter(model_content=serialise(alone(model, convolution, run_once(model))))
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
    single = alone(model, first, made_once)
    assert len(single.subgraphs[0].inputs) == 1
    computed = infer(single, picture())["first"]
    np.testing.assert_allclose(computed, infer(model, picture())["first"], rtol=1e-5, atol=1e-4)


def test_an_operator_that_does_not_run_by_itself_is_left_out(model):
    last = model.subgraphs[0].operators[-1]
    model.subgraphs[0].tensors[last.outputs[0]].type = TensorType.INT32  # of a convolution of reals
    assert [(t.operator, t.layer) for t in operator_times(model)[1:]] == [("CONV_2D", "cls_8")]
