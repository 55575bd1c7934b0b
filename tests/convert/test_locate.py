"""Which operator of a TFLite file is which convolution of the ONNX graph."""

from collections.abc import Mapping

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.convert.locate import locate_convolutions
from mmdet2tflite.errors import ModelError
from tests.tflite.tflite_writer import Writer

RNG = np.random.default_rng(0)
KERNELS = {
    name: RNG.normal(size=shape).astype(np.float32)
    for name, shape in {
        "/stem/Conv": (3, 2, 3, 3),
        "/other/Conv": (3, 2, 3, 3),
        "/depthwise/Conv": (3, 1, 5, 3),
        "/grouped/Conv": (4, 2, 1, 3),
        "/one_channel/Conv": (3, 1, 5, 3),
    }.items()
}
DEPTHWISE = ("/depthwise/Conv",)


def file_with(kernels: Mapping[str, np.ndarray], stored: str = "float32") -> schema.ModelT:
    """The convolutions side by side, with names of the converter's own, in reverse order."""
    writer = Writer()
    image = writer.tensor("image", (1, 8, 8, 2))
    for number, (name, kernel) in enumerate(reversed(kernels.items())):
        depthwise = name.removesuffix("'") in DEPTHWISE
        values = kernel.transpose(1, 2, 3, 0) if depthwise else kernel.transpose(0, 2, 3, 1)
        axis = 3 if depthwise else 0
        weights = constant(writer, f"tfl.pseudo_const{number}", values, axis, stored)
        bias = writer.constant(f"b{number}", np.zeros(len(kernel), np.float32))
        found = writer.tensor(f"convolution_{number}", (1, 8, 8, len(kernel)))
        writer.conv(image, weights, bias, found, same=True, depthwise=depthwise)
    return writer.finish({"picture": image}, {})


def constant(writer: Writer, name: str, values: np.ndarray, axis: int, stored: str) -> int:
    if stored == "float32":
        return writer.constant(name, values)
    if stored == "uint8":  # one scale, asymmetric
        scale = (values.max() - values.min()) / 255
        zero_point = int(np.rint(-values.min() / scale))
        steps = np.clip(np.rint(values / scale) + zero_point, 0, 255).astype(np.uint8)
        return writer.constant(name, steps, scale=scale, zero_point=zero_point)
    others = tuple(i for i in range(4) if i != axis)
    scale = abs(values).max(axis=others, keepdims=True) / 127
    steps = np.rint(values / scale).astype(np.int8)
    index = writer.constant(name, steps, scale=scale.ravel(), channels=axis)
    if stored == "int8":
        return index
    result = writer.tensor(f"{name}_real", values.shape)  # weight-only quantisation
    return writer.operator("DEQUANTIZE", [index], result, schema.DequantizeOptionsT(), 2)


EXPECTED = {name: f"convolution_{4 - number}" for number, name in enumerate(KERNELS)}


@pytest.mark.parametrize("stored", ["float32", "int8", "uint8", "weight-only"])
def test_every_convolution_is_found_by_its_weights_whatever_name_and_order_it_has(stored):
    assert locate_convolutions(file_with(KERNELS, stored), KERNELS) == EXPECTED


def test_a_float_weight_must_be_the_very_same_number():
    changed = {name: kernel.copy() for name, kernel in KERNELS.items()}
    kernel = changed["/other/Conv"]
    kernel[0, 0, 0, 0] = np.nextafter(kernel[0, 0, 0, 0], np.float32(9))
    with pytest.raises(ModelError) as refusal:
        locate_convolutions(file_with(changed), KERNELS)
    assert refusal.value.found.startswith(
        "0 convolutions of the TFLite file have the weights of /other/Conv"
    )


@pytest.mark.parametrize(("steps", "is_found"), [(0.4, True), (0.6, False)])
def test_a_quantised_weight_must_lie_within_half_a_step(steps, is_found):
    kernel = np.full((1, 1, 1, 2), 127, np.float32)
    file = file_with({"a": kernel}, "int8")  # its step is 1
    moved = {"a": kernel + np.array([0, steps], np.float32)}
    if is_found:
        assert locate_convolutions(file, moved) == {"a": "convolution_0"}
    else:
        with pytest.raises(ModelError, match="weights of a"):
            locate_convolutions(file, moved)


def test_equal_kernels_are_told_apart_by_their_order():
    shared = KERNELS["/stem/Conv"]
    kernels = {"first": shared, "alone": KERNELS["/other/Conv"], "second": shared}
    in_file = dict(reversed(kernels.items()))  # which the writer reverses again
    assert locate_convolutions(file_with(in_file), kernels) == {
        "first": "convolution_0",
        "alone": "convolution_1",
        "second": "convolution_2",
    }


def test_equal_kernels_of_which_the_file_has_another_number_are_refused():
    shared = KERNELS["/stem/Conv"]
    twice, once = {"a": shared, "b": shared}, {"a": shared}
    with pytest.raises(ModelError, match=r"^.*2 convolutions .* of a \(equal in the ONNX .*: 1\)"):
        locate_convolutions(file_with(twice), once)
    with pytest.raises(ModelError, match=r"^.*1 convolutions .* of a \(equal in the ONNX .*: 2\)"):
        locate_convolutions(file_with(once), twice)


def test_a_convolution_that_is_not_wanted_need_not_be_found():
    kernels = {**KERNELS, "folded away": np.ones((1, 1, 1), np.float32)}
    found = locate_convolutions(file_with(KERNELS), kernels, wanted=["/grouped/Conv"])
    assert found == {"/grouped/Conv": EXPECTED["/grouped/Conv"]}
