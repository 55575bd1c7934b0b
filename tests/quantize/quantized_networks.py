"""A network of two convolutions, its pictures, and what it computes at a precision."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from mmdet2tflite.parity.parity import tensor_error
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.quantize.quantize_model import quantise_model
from mmdet2tflite.runtime.litert import dequantise, quantise
from mmdet2tflite.tflite.flatbuffer import serialise
from tests.tflite.tflite_writer import Writer

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
