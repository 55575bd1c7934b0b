"""Does the int8 file of the folded network run on a microcontroller's interpreter?"""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from litert_quantizer import quantizer, recipe
from tflite_micro import runtime

from mmdet2tflite.convert.converters import onnx2tf
from mmdet2tflite.convert.converters.converter import ToolRun
from mmdet2tflite.data.files import image_files
from mmdet2tflite.parity.parity import tensor_error
from mmdet2tflite.runtime.images import input_tensor
from mmdet2tflite.runtime.litert import quantise
from mmdet2tflite.runtime.runners import rotate_180
from mmdet2tflite.tflite.flatbuffer import parse_model, serialise
from tests.toolchain.golden import TIMEOUT

pytestmark = pytest.mark.toolchain

SIGNATURE = "serving_default"


@pytest.fixture(scope="module")
def pictures(main_path) -> list[np.ndarray]:
    """Training images as the network takes them, NHWC and rotated by 180°."""
    paths = image_files(main_path.store, main_path.dataset, "train")[:16]
    tensors = [input_tensor(path, main_path.onnx.preprocessing)[0] for path in paths]
    return [np.ascontiguousarray(rotate_180(tensor).transpose(0, 2, 3, 1)) for tensor in tensors]


def int8(model: Path, pictures: list[np.ndarray]) -> bytes:
    (name,) = Interpreter(str(model)).get_signature_list()[SIGNATURE]["inputs"]
    tool = quantizer.Quantizer(str(model), recipe.static_wi8_ai8())
    samples = tool.calibrate({SIGNATURE: [{name: picture} for picture in pictures]})
    content = bytes(tool.quantize(samples, enable_progress_report=False).quantized_model)
    return serialise(parse_model(content, model.name))  # weights inside, where Micro looks


def infer(content: bytes, picture: np.ndarray, kernels: OpResolverType) -> list[np.ndarray]:
    """LiteRT's outputs, as stored."""
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    interpreter.set_tensor(detail["index"], quantise(picture, detail))
    interpreter.invoke()
    outputs = interpreter.get_output_details()
    return [interpreter.get_tensor(output["index"]).astype(np.float32) for output in outputs]


def test_the_int8_file_of_the_folded_network_runs_in_tflite_micro(variants, pictures):
    content = int8(variants["mirror_rotated"].path, pictures)
    builtin = infer(content, pictures[0], OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    xnnpack = infer(content, pictures[0], OpResolverType.AUTO)
    micro = runtime.Interpreter.from_bytes(content)
    detail = Interpreter(model_content=content).get_input_details()[0]
    micro.set_input(quantise(pictures[0], detail), 0)
    micro.invoke()
    for position, (expected, other) in enumerate(zip(builtin, xnnpack, strict=True)):
        found = micro.get_output(position).astype(np.float32)
        # Kernels round a step apart, layer after layer: LiteRT's own two sets of them do so too.
        # Twice their distance, 6 dB, is allowed; wrong weights would give less than 0 dB.
        allowed = tensor_error(expected, other).snr_db - 6
        assert tensor_error(expected, found).snr_db > max(allowed, 0)


def test_the_int8_file_of_the_stock_conversion_does_not_load_there(main_path, pictures, tmp_path):
    exported = main_path.store.path(main_path.onnx, main_path.onnx.file)
    stock = onnx2tf.convert(exported, ToolRun(tmp_path / "tool", tmp_path / "log", TIMEOUT))
    content = int8(stock, pictures)
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(content).invoke()
