"""What a hand-made network computes after litert-quantizer, at every precision."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from mmdet2tflite.convert.engine_flag import put_pads_back, read_flags, write_flags
from mmdet2tflite.convert.flatbuffer import (
    operator_name,
    parse_model,
    read_metadata,
    serialise,
    write_metadata,
    write_model,
)
from mmdet2tflite.convert.precisions import PRECISIONS
from mmdet2tflite.convert.quantize_model import quantise_model
from mmdet2tflite.convert.quantize_worker import describe_layers
from mmdet2tflite.convert.reverse_io import reverse_io
from mmdet2tflite.errors import ModelError
from mmdet2tflite.evaluate.parity import tensor_error
from mmdet2tflite.evaluate.runners import dequantise, quantise
from tests.convert.tflite_writer import Writer

# litert-quantizer keeps all tensors to look at them, which LiteRT thinks worth a warning.
pytestmark = pytest.mark.filterwarnings("ignore:Warning. Enabling `experimental_preserve")

SIZE = (6, 8)
CHANNELS = 8
LEAST_SNR = {"float16": 66.0}
"""dB. A rounding to 256 levels has an error of 1 / (255 sqrt(12)) of the range; of a signal whose
RMS is a sixth of its range that is 20 log10(255 sqrt(12) / 6) = 43 dB, and five of them (input, two
kernels, two maps) are 36. float16 rounds a weight by at most 2**-11 of itself, uniformly: 20
log10(2**11 sqrt(3)) = 71 dB, 68 for two kernels."""
LEAST_SNR_OF_8_BITS = 30.0


def network(signature: bool = True) -> schema.ModelT:
    """image → conv 3x3 ``first`` → RELU ``positive`` → conv 1x1 ``second``, two outputs."""
    rng = np.random.default_rng(0)
    writer = Writer()
    image = writer.tensor("image", (1, *SIZE, 3))
    kernels = {
        name: writer.constant(name, rng.normal(size=shape).astype(np.float32))
        for name, shape in (("k1", (CHANNELS, 3, 3, 3)), ("k2", (4, 1, 1, CHANNELS)))
    }
    biases = {
        name: writer.constant(name, rng.normal(size=count).astype(np.float32))
        for name, count in (("b1", CHANNELS), ("b2", 4))
    }
    first = writer.conv(
        image, kernels["k1"], biases["b1"], writer.tensor("first", (1, *SIZE, CHANNELS)), same=True
    )
    positive = writer.operator("RELU", [first], writer.tensor("positive", (1, *SIZE, CHANNELS)))
    second = writer.conv(
        positive, kernels["k2"], biases["b2"], writer.tensor("second", (1, *SIZE, 4))
    )
    # Named in the other order than they are computed in.
    outputs = {"second": second, "first": first}
    return writer.finish({"picture": image}, outputs, signature)


def picture() -> np.ndarray:
    """Calibration with this picture alone makes its ranges the exact ones: nothing saturates."""
    return np.random.default_rng(1).uniform(0, 255, (1, *SIZE, 3)).astype(np.float32)


def half_dark() -> np.ndarray:
    """A dark right half: seen the wrong way round, a network that pads has other ranges."""
    columns = np.arange(SIZE[1])[:, None]
    return np.where(columns < SIZE[1] // 2, picture(), picture() / 8)


def run(model: schema.ModelT, image: np.ndarray) -> dict[str, np.ndarray]:
    """Reals by output name."""
    interpreter = Interpreter(model_content=serialise(model))
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    interpreter.set_tensor(given["index"], quantise(image, given))
    interpreter.invoke()
    return {
        detail["name"]: dequantise(interpreter.get_tensor(detail["index"]), detail)
        for detail in interpreter.get_output_details()
    }


def quantised(name: str, model: schema.ModelT, given: np.ndarray | None = None) -> schema.ModelT:
    precision = PRECISIONS[name]
    samples = [picture() if given is None else given] * 3
    return quantise_model(model, precision, samples if precision.calibrated else None).model


def check_close(
    found: dict[str, np.ndarray], expected: dict[str, np.ndarray], precision: str
) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        least = LEAST_SNR.get(precision, LEAST_SNR_OF_8_BITS)
        assert tensor_error(value, found[name]).snr_db > least, name


def types(model: schema.ModelT, indices: list[int]) -> set[int]:
    return {model.subgraphs[0].tensors[index].type for index in indices}


FLOAT, INT8 = schema.TensorType.FLOAT32, schema.TensorType.INT8


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
    [("int8", np.int8), ("int8_io", np.int8), ("int8_mixed", np.int8), ("int16x8", np.int16)],
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
def test_an_upright_file_of_a_rotated_network_keeps_its_reversals_outermost(name):
    outputs = {"first": (1, 2), "second": (1, 2)}
    model = network()
    reverse_io(model, inputs=True, outputs=outputs)
    expected = run(model, half_dark())
    result = quantised(name, model, half_dark())
    check_close(run(result, half_dark()), expected, name)
    operators = [operator_name(result, operator) for operator in result.subgraphs[0].operators]
    assert operators[0] == "REVERSE_V2"
    assert operators[-2:] == ["REVERSE_V2", "REVERSE_V2"]
    assert operators.count("REVERSE_V2") == 3


def test_16_bits_take_the_extremes_of_all_images_and_8_bits_an_average():
    """One bright image among dark ones: its maximum, or 0.05 of it and 0.95 of the first's."""
    dark = np.zeros((1, *SIZE, 3), np.float32)
    dark[0, 0, 0, 0] = 1
    samples = [dark, 100 * dark]
    found = {}
    for name, levels in (("int8", 255), ("int16x8", 32767)):
        model = quantise_model(network(), PRECISIONS[name], samples).model
        graph = model.subgraphs[0]
        given = graph.tensors[graph.operators[0].outputs[0]]  # of QUANTIZE
        found[name] = float(given.quantization.scale[0]) * levels
    assert found == {"int8": pytest.approx(0.95 + 5), "int16x8": pytest.approx(100)}


def scale_of(model: schema.ModelT, name: bytes) -> list[float]:
    (tensor,) = [tensor for tensor in model.subgraphs[0].tensors if tensor.name == name]
    return [float(scale) for scale in tensor.quantization.scale]


def test_a_network_under_reversals_is_calibrated_with_its_input_turned():
    upright = network()
    reverse_io(upright, inputs=True, outputs={"first": (1, 2), "second": (1, 2)})
    found = scale_of(quantised("int8", upright, half_dark()), b"positive")
    turned = half_dark()[:, ::-1, ::-1]
    assert found == scale_of(quantised("int8", network(), turned), b"positive")
    assert found != scale_of(quantised("int8", network(), half_dark()), b"positive")


def flagged() -> schema.ModelT:
    """One 3x3 convolution with stride 2, written SAME; its true pads are (1, 0), not (0, 1)."""
    writer = Writer()
    image = writer.tensor("image", (1, 8, 8, 1))
    kernel = np.zeros((1, 3, 3, 1), np.float32)
    kernel[0, 0, 0, 0], kernel[0, 2, 2, 0] = 1, -1  # the two corners that the pads decide about
    taps = writer.constant("kernel", kernel)
    bias = writer.constant("bias", np.zeros(1, np.float32))
    found = writer.tensor("map", (1, 4, 4, 1))
    writer.conv(image, taps, bias, found, strides=(2, 2), same=True)
    model = writer.finish({"picture": image}, {"map": found})
    write_flags(model, {"map": (1, 0, 1, 0)})
    return model


def on_reference_engine(model: schema.ModelT, image: np.ndarray) -> dict[str, np.ndarray]:
    padded = parse_model(serialise(model), "a copy")
    put_pads_back(padded)
    return run(padded, image)


def ramp() -> np.ndarray:
    """Brightest in the last row and column."""
    return (np.add.outer(np.arange(8), np.arange(8)) ** 2).astype(np.float32).reshape(1, 8, 8, 1)


@pytest.mark.parametrize("name", PRECISIONS)
def test_a_flagged_file_is_quantised_for_the_engine_that_honours_the_flags(name):
    expected = on_reference_engine(flagged(), ramp())
    result = quantised(name, flagged(), ramp())
    assert list(read_flags(result).values()) == [(1, 0, 1, 0)]
    check_close(on_reference_engine(result, ramp()), expected, name)


def test_layers_of_a_flagged_file_are_compared_as_the_reference_engine_computes_them(tmp_path):
    source, target = tmp_path / "source.tflite", tmp_path / "target.tflite"
    write_model(flagged(), source)
    result = quantise_model(flagged(), PRECISIONS["int8"], [ramp()] * 3)
    write_model(result.model, target)
    (layer,) = describe_layers(source, target, result, [ramp()])["layers"]
    expected = on_reference_engine(flagged(), ramp())["map"]
    found = on_reference_engine(result.model, ramp())["map"]
    assert layer["snr_db"] == pytest.approx(tensor_error(expected, found).snr_db)


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


def offset(value: int, name: str, kernel: np.ndarray, bias: float, writer: Writer) -> int:
    """A 1x1 convolution with this kernel (outputs x inputs) and the same bias for all."""
    taps = writer.constant(f"{name}/k", kernel[:, None, None].astype(np.float32))
    biases = writer.constant(f"{name}/b", np.full(len(kernel), bias, np.float32))
    return writer.conv(value, taps, biases, writer.tensor(name, (1, *SIZE, len(kernel))))


def cancelling() -> schema.ModelT:
    """Two small layers: one adds 100,000, the other takes it away. Between them, 8 bits lose all.

    The third, which is larger, has a name that the first's matches as an expression.
    """
    writer = Writer()
    image = writer.tensor("image", (1, *SIZE, 3))
    up = offset(image, "n.1(a)/x+", np.ones((1, 3)), 1e5, writer)
    up = writer.operator("RELU", [up], writer.tensor("up", (1, *SIZE, 1)))
    down = offset(up, "down", np.ones((1, 1)), -1e5, writer)
    found = offset(down, "nx1a/xx", np.ones((64, 1)), 0, writer)
    return writer.finish({"picture": image}, {"nx1a/xx": found})


def kinds(model: schema.ModelT) -> dict[str, int]:
    return {tensor.name.decode(): tensor.type for tensor in model.subgraphs[0].tensors}


def test_a_mixed_file_leaves_the_layers_in_float32_that_lose_most():
    expected = run(cancelling(), picture())["nx1a/xx"]
    snr = {}
    for name in ("int8", "int8_mixed"):
        result = quantise_model(cancelling(), PRECISIONS[name], [picture()] * 3)
        snr[name] = tensor_error(expected, run(result.model, picture())["nx1a/xx"]).snr_db
    assert result.mix is not None
    assert result.mix.real == {"n.1(a)/x+", "down"}
    # A step of 100,765 / 255 = 395 has an error of 395 / sqrt(12) = 114; the sum of three values of
    # 0 to 255 has an RMS of 403.
    assert snr["int8"] == pytest.approx(20 * np.log10(403 / 114), abs=1)
    assert snr["int8_mixed"] > LEAST_SNR_OF_8_BITS
    # Between one picture's noise and the same picture's: what is left, in powers.
    left = 10 ** ((snr["int8"] - snr["int8_mixed"]) / 10)
    assert result.mix.noise_left == pytest.approx(left, rel=0.05)
    types_ = kinds(result.model)
    assert {types_[f"{name}/k"] for name in ("n.1(a)/x+", "down")} == {FLOAT}
    assert types_["nx1a/xx/k"] == INT8


def test_a_mixed_file_says_how_far_the_measuring_is():
    seen = []
    quantise_model(
        cancelling(),
        PRECISIONS["int8_mixed"],
        [picture()] * 3,
        on_layer=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(0, 3), (1, 3), (2, 3)]


def test_the_same_file_and_images_give_the_same_mixed_file():
    first, second = (
        serialise(quantise_model(cancelling(), PRECISIONS["int8_mixed"], [picture()] * 3).model)
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("name", ["int8", "int8_mixed"])
def test_layers_are_those_between_the_reversals(name):
    model = network()
    reverse_io(model, inputs=True, outputs={"first": (1, 2), "second": (1, 2)})
    result = quantise_model(model, PRECISIONS[name], [half_dark()] * 3)
    assert [layer.operator for layer in result.layers] == ["CONV_2D", "CONV_2D"]


def test_a_mixed_precision_measures_a_turned_network_on_turned_images():
    model = network()
    reverse_io(model, inputs=True, outputs={"first": (1, 2), "second": (1, 2)})
    turned = half_dark()[:, ::-1, ::-1]
    found, expected, other = (
        quantise_model(model_, PRECISIONS["int8_mixed"], [image] * 3).mix
        for model_, image in ((model, half_dark()), (network(), turned), (network(), half_dark()))
    )
    assert found == expected
    assert found != other
