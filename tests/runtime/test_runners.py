import numpy as np
import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.runtime.litert import dequantise, quantise
from mmdet2tflite.runtime.runners import OnnxRunner, RunnerWithDecoder, TfliteRunner

SHAPE = (1, 3, 2, 4)
IMAGE = np.arange(24, dtype=np.float32).reshape(SHAPE)
LAYERS = {
    "cls_8": (np.array([[1, 0, 0], [0, 0, 2]])[..., None, None], np.array([0, 100])),
    "obj_8": (np.array([[0, 1, 0]])[..., None, None], np.array([0.5])),
}
EXPECTED = {  # 1 x 1 convolutions: channels picked, scaled and shifted
    "cls_8": np.stack([IMAGE[:, 0], 2 * IMAGE[:, 2] + 100], axis=1),
    "obj_8": IMAGE[:, 1:2] + 0.5,
}


@pytest.fixture(params=["onnx", "litert xnnpack", "litert builtin"])
def runner(request, tmp_path, write_onnx, write_tflite):
    if request.param == "onnx":
        return OnnxRunner(write_onnx(tmp_path / "m.onnx", SHAPE, LAYERS), threads=1)
    path = write_tflite(tmp_path / "m.tflite", SHAPE, LAYERS)
    return TfliteRunner(path, list(LAYERS), threads=1, xnnpack=request.param.endswith("xnnpack"))


def test_every_runtime_takes_and_gives_channels_first_and_finds_outputs_by_name(runner):
    outputs = runner.infer(IMAGE)
    assert outputs.keys() == EXPECTED.keys()
    for name, value in EXPECTED.items():
        np.testing.assert_array_equal(outputs[name], value)
        assert outputs[name].dtype == np.float32


def test_a_result_outlives_the_next_inference(runner):
    first = runner.infer(IMAGE)
    runner.infer(IMAGE + 1)
    np.testing.assert_array_equal(first["obj_8"], EXPECTED["obj_8"])


def test_a_bound_runner_can_be_run_again_and_again(runner):
    run = runner.bind(IMAGE)
    run()
    run()
    np.testing.assert_array_equal(runner.infer(IMAGE)["cls_8"], EXPECTED["cls_8"])


def test_these_runners_leave_decoding_to_the_decoder(runner):
    assert not isinstance(runner, RunnerWithDecoder)


def test_a_tflite_file_without_an_expected_output_is_refused_by_name(tmp_path, write_tflite):
    path = write_tflite(tmp_path / "m.tflite", SHAPE, LAYERS)
    with pytest.raises(ModelError, match="outputs obj_8, cls_8") as error:
        TfliteRunner(path, ["cls_8", "box_8"], threads=1, xnnpack=True)
    assert error.value.expected == "outputs named box_8"


def test_a_file_that_does_not_load_is_an_error_of_the_model(tmp_path):
    path = tmp_path / "broken"
    path.write_bytes(b"no model at all")
    with pytest.raises(ModelError, match="does not load in ONNX Runtime"):
        OnnxRunner(path, threads=1)
    with pytest.raises(ModelError, match="does not load in LiteRT"):
        TfliteRunner(path, [], threads=1, xnnpack=True)


INT8 = {"dtype": np.int8, "quantization": (0.5, -3)}
REAL = {"dtype": np.float32, "quantization": (0.0, 0)}


def test_an_integer_tensor_stores_multiples_of_the_scale_from_the_zero_point_saturated():
    reals = np.array([0, 1, 0.6, -500, 500], np.float32)
    stored = quantise(reals, INT8)
    assert stored.dtype == np.int8
    assert stored.tolist() == [-3, -1, -2, -128, 127]
    # 500 and -500 are out of range: (127 + 3) / 2 and (-128 + 3) / 2 are the limits
    assert dequantise(stored, INT8).tolist() == [0, 1, 0.5, -62.5, 65]


def test_a_float_tensor_stores_what_it_is_given():
    reals = np.array([0.1, -7], np.float32)
    assert quantise(reals, REAL) is reals
    assert dequantise(reals, REAL) is reals
