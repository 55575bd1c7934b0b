"""Where XNNPACK's integer kernels are slow, int8 files are written so that others are taken."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tflite_micro import runtime as micro

from mmdet2tflite.quantize import quantize_model
from mmdet2tflite.tflite.flatbuffer import operator_name, serialise
from mmdet2tflite.tflite.padding_flag import read_flags, write_flags
from mmdet2tflite.tflite.rotation import rotate_io
from tests.quantize.quantized_networks import check_close, quantised, run, types
from tests.tflite.tflite_writer import Writer, infer

# litert-quantizer keeps all tensors to look at them, which LiteRT thinks worth a warning.
pytestmark = pytest.mark.filterwarnings("ignore:Warning. Enabling `experimental_preserve")

SIZE = (16, 20)
INTEGERS = {schema.TensorType.INT8, schema.TensorType.INT32}
"""Maps and weights; biases, and the shape that a RESHAPE reads."""
OPTIONS = {"HARD_SWISH": schema.HardSwishOptionsT, "GELU": schema.GeluOptionsT}


def network(taps=6, activation="HARD_SWISH"):
    """image → convolution with stride 2 ``first`` → activation → 1x1 convolution ``second``."""
    rng = np.random.default_rng(0)
    writer = Writer()
    image = writer.tensor("image", (1, *SIZE, 3))
    kernels = [
        writer.constant(f"k{shape[0]}", rng.normal(size=shape).astype(np.float32) / shape[1])
        for shape in ((8, taps, taps, 3), (4, 1, 1, 8))
    ]
    biases = [
        writer.constant(f"b{size}", rng.normal(size=size).astype(np.float32)) for size in (8, 4)
    ]
    half = (SIZE[0] // 2, SIZE[1] // 2)
    first = writer.tensor("first", (1, *half, 8))
    writer.conv(image, kernels[0], biases[0], first, strides=(2, 2), same=True)
    active = writer.tensor("active", (1, *half, 8))
    writer.operator(activation, [first], active, OPTIONS[activation]())
    second = writer.conv(active, kernels[1], biases[1], writer.tensor("second", (1, *half, 4)))
    return writer.finish({"picture": image}, {"second": second})


def picture():
    return np.random.default_rng(1).uniform(-3, 3, (1, *SIZE, 3)).astype(np.float32)


def kinds(model):
    return [operator_name(model, operator) for operator in model.subgraphs[0].operators]


@pytest.mark.parametrize("activation", OPTIONS)
def test_an_activation_without_integer_kernels_stays_real_between_conversions(activation):
    model = quantised("int8", network(activation=activation), picture())
    place = kinds(model).index(activation)
    assert kinds(model)[place - 1 : place + 2] == ["DEQUANTIZE", activation, "QUANTIZE"]
    weights = [
        o.inputs[1] for o in model.subgraphs[0].operators if "CONV" in operator_name(model, o)
    ]
    assert types(model, weights) == {schema.TensorType.INT8}
    check_close(run(model, picture()), run(network(activation=activation), picture()), "int8")


@pytest.mark.parametrize("activation", OPTIONS)
def test_a_file_of_integers_only_has_no_real_operator(activation):
    model = quantised("int8_io", network(activation=activation), picture())
    assert "DEQUANTIZE" not in kinds(model)
    assert types(model, range(len(model.subgraphs[0].tensors))) <= INTEGERS


def test_hard_swish_of_integers_runs_on_a_microcontroller():
    model = quantised("int8_io", network(), picture())
    interpreter = micro.Interpreter.from_bytes(serialise(model))
    details = interpreter.get_input_details(0)
    scale, zero_point = (
        details["quantization_parameters"][k][0] for k in ("scales", "zero_points")
    )
    given = np.clip(np.rint(picture() / scale + zero_point), -128, 127).astype(np.int8)
    interpreter.set_input(given, 0)
    interpreter.invoke()
    found = interpreter.get_output(0).astype(int)
    # TFLite-Micro rounds a product twice on the way down, LiteRT once: a step per operator.
    assert np.abs(found - infer(model, given)["second"]).max() <= 2


WIDE = {
    # Where a 6x6 and a 3x3 convolution of three channels read two columns as one.
    "float16": (False, False),
    "int8_weight": (False, False),
    "int8_dynamic": (False, False),
    "int16x8": (False, False),
    "int8": (True, True),
    "int8_io": (True, False),  # zero taps cost an NPU or a microcontroller time
}


@pytest.mark.parametrize(("precision", "wide"), WIDE.items(), ids=WIDE)
def test_the_stem_reads_wide_columns_where_its_kernels_are_xnnpacks(precision, wide):
    found = [kinds(quantised(precision, network(taps), picture())) for taps in (6, 3)]
    assert tuple("RESHAPE" in each for each in found) == wide


@pytest.mark.parametrize("rotated", [False, True])
@pytest.mark.parametrize("precision", ["int8", "int8_io"])
def test_wide_columns_change_no_bit_of_what_comes_out(monkeypatch, precision, rotated):
    def made():
        model = network()
        if rotated:
            rotate_io(model, inputs=True, outputs={"second": (1, 2)})
        return quantised(precision, model, picture())

    wide = made()
    monkeypatch.setattr(quantize_model, "widen_columns", lambda *_, **__: 0)
    plain = made()
    assert ("RESHAPE" in kinds(wide), "RESHAPE" in kinds(plain)) == (True, False)
    assert kinds(wide).count("REVERSE_V2") == kinds(plain).count("REVERSE_V2") == 2 * rotated
    if rotated:  # behind the wide columns, but not where an NPU would be interrupted by it
        first = {"int8_io": ["REVERSE_V2", "RESHAPE"]}.get(precision, ["QUANTIZE", "RESHAPE"])
        assert kinds(wide)[:2] == first
    np.testing.assert_array_equal(run(wide, picture())["second"], run(plain, picture())["second"])


def test_a_stem_with_a_padding_flag_keeps_its_columns_and_its_flag():
    model = network()
    write_flags(model, {"first": (3, 1, 3, 1)})
    result = quantised("int8", model, picture())
    assert "RESHAPE" not in kinds(result)
    assert list(read_flags(result).values()) == [(3, 1, 3, 1)]
