"""What a hand-made network computes after litert-quantizer, at every precision."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from mmdet2tflite.errors import ModelError
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.quantize.quantize_model import quantise_model
from mmdet2tflite.tflite.flatbuffer import (
    operator_name,
    read_metadata,
    serialise,
    write_metadata,
)
from mmdet2tflite.tflite.rotation import rotate_io
from tests.quantize.quantized_networks import (
    CHANNELS,
    FLOAT,
    INT8,
    SIZE,
    check_close,
    half_dark,
    network,
    picture,
    quantised,
    run,
    types,
)
from tests.tflite.tflite_writer import Writer

# litert-quantizer keeps all tensors to look at them, which LiteRT thinks worth a warning.
pytestmark = pytest.mark.filterwarnings("ignore:Warning. Enabling `experimental_preserve")


@pytest.mark.parametrize("name", PRECISIONS)
def test_every_precision_computes_what_the_float_file_does_up_to_its_rounding(name):
    model = quantised(name, network())
    check_close(run(model, picture()), run(network(), picture()), name)


@pytest.mark.parametrize("name", PRECISIONS)
def test_input_and_outputs_keep_names_order_and_signature_and_only_int8_io_changes_types(name):
    model = quantised(name, network())
    graph = model.subgraphs[0]
    names = [tensor.name for tensor in graph.tensors]
    assert [names[index] for index in graph.inputs] == [b"image"]
    assert [names[index] for index in graph.outputs] == [b"second", b"first"]
    assert len(set(names)) == len(names)
    (signature,) = model.signatureDefs
    entries = [(entry.name, names[entry.tensorIndex]) for entry in signature.outputs]
    assert sorted(entries) == [(b"first", b"first"), (b"second", b"second")]
    assert [(e.name, names[e.tensorIndex]) for e in signature.inputs] == [(b"picture", b"image")]
    expected = INT8 if name == "int8_io" else FLOAT
    assert types(model, [*graph.inputs, *graph.outputs]) == {expected}


KERNELS = {"float16": np.float16, "int8_weight": np.int8, "int8_dynamic": np.int8}


@pytest.mark.parametrize("name", PRECISIONS)
def test_weights_are_inside_the_flatbuffer_and_of_the_precision(name):
    model = quantised(name, network())
    assert all(buffer.offset <= 1 for buffer in model.buffers)
    (kernel,) = [tensor for tensor in model.subgraphs[0].tensors if tensor.name == b"k1"]
    size = len(model.buffers[kernel.buffer].data)
    assert size == CHANNELS * 3 * 3 * 3 * np.dtype(KERNELS.get(name, np.int8)).itemsize


@pytest.mark.parametrize(
    ("name", "activation"),
    [("int8", np.int8), ("int8_io", np.int8), ("int16x8", np.int16)],
)
def test_a_static_precision_computes_with_integers_of_its_width(name, activation):
    interpreter = Interpreter(model_content=serialise(quantised(name, network())))
    kinds = {tensor["name"]: tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    assert kinds["positive"] is activation


@pytest.mark.parametrize("name", ["float16", "int8_weight", "int8_dynamic"])
def test_the_other_precisions_keep_activations_real(name):
    interpreter = Interpreter(model_content=serialise(quantised(name, network())))
    kinds = {tensor["name"]: tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    assert kinds["positive"] is np.float32


@pytest.mark.parametrize("name", PRECISIONS)
def test_a_restored_file_of_a_rotated_network_keeps_its_rotations_outermost(name):
    outputs = {"first": (1, 2), "second": (1, 2)}
    model = network()
    rotate_io(model, inputs=True, outputs=outputs)
    expected = run(model, half_dark())
    result = quantised(name, model, half_dark())
    check_close(run(result, half_dark()), expected, name)
    operators = [operator_name(result, operator) for operator in result.subgraphs[0].operators]
    assert operators[0] == "REVERSE_V2"
    assert operators[-2:] == ["REVERSE_V2", "REVERSE_V2"]
    assert operators.count("REVERSE_V2") == 3


def test_16_bits_take_the_extremes_of_all_images_and_8_bits_an_average():
    """One bright image and a dark one: the larger maximum, or the mean of both."""
    dark = np.zeros((1, *SIZE, 3), np.float32)
    dark[0, 0, 0, 0] = 1
    samples = [dark, 100 * dark]
    found = {}
    for name, levels in (("int8", 255), ("int16x8", 32767)):
        model = quantise_model(network(), PRECISIONS[name], samples).model
        graph = model.subgraphs[0]
        given = graph.tensors[graph.operators[0].outputs[0]]  # of QUANTIZE
        found[name] = float(given.quantization.scale[0]) * levels
    assert found == {"int8": pytest.approx(50.5), "int16x8": pytest.approx(100)}


def scale_of(model: schema.ModelT, name: bytes) -> list[float]:
    (tensor,) = [tensor for tensor in model.subgraphs[0].tensors if tensor.name == name]
    return [float(scale) for scale in tensor.quantization.scale]


def test_a_network_under_rotations_is_calibrated_with_its_input_rotated():
    unrotated = network()
    rotate_io(unrotated, inputs=True, outputs={"first": (1, 2), "second": (1, 2)})
    found = scale_of(quantised("int8", unrotated, half_dark()), b"positive")
    rotated = half_dark()[:, ::-1, ::-1]
    assert found == scale_of(quantised("int8", network(), rotated), b"positive")
    assert found != scale_of(quantised("int8", network(), half_dark()), b"positive")


def test_a_file_without_a_signature_can_be_calibrated():
    model = quantised("int8", network(signature=False))
    check_close(run(model, picture()), run(network(), picture()), "int8")


def test_weights_alone_are_made_real_before_use_and_dynamic_ones_are_not():
    for name, expected in (("int8_weight", 2), ("int8_dynamic", 0)):
        model = quantised(name, network())
        operators = [operator_name(model, operator) for operator in model.subgraphs[0].operators]
        assert operators.count("DEQUANTIZE") == expected  # one for each kernel


def test_metadata_stays():
    model = network()
    write_metadata(model, "note", b"kept")
    assert read_metadata(quantised("int8", model), "note") == b"kept"


@pytest.mark.parametrize("first", PRECISIONS)
def test_a_file_that_is_quantised_already_is_refused(first):
    with pytest.raises(ModelError) as refusal:
        quantised("int8", quantised(first, network()))
    assert refusal.value.found == "the file is quantised already"


# int8_io still has its input and output to write.
@pytest.mark.parametrize("name", [name for name in PRECISIONS if name != "int8_io"])
def test_a_network_without_anything_to_quantise_is_refused(name):
    writer = Writer()
    image = writer.tensor("image", (1, *SIZE, 3))
    found = writer.operator("COS", [image], writer.tensor("found", (1, *SIZE, 3)))
    model = writer.finish({"picture": image}, {"found": found})
    with pytest.raises(ModelError) as refusal:
        quantised(name, model)
    assert refusal.value.found == ("the file has no operator that the quantiser could make smaller")
