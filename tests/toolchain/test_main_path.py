"""What the chain keeps of a trained network: the same numbers in three backends."""

import numpy as np
import onnx
import pytest

from mmdet2tflite.convert.tflite_file import output_tensors, read_passport
from mmdet2tflite.passport import Rotation
from mmdet2tflite.tflite.census import onnx_ops, tflite_ops
from mmdet2tflite.tflite.flatbuffer import read_model

pytestmark = pytest.mark.toolchain

TOLERANCE = 1e-4  # of a tensor's range: float32 with another order of summation
NAMES = [f"{meaning}_{stride}" for meaning in ("cls", "box", "obj") for stride in (8, 16, 32)]
CHANNELS = {"cls": 10, "box": 4, "obj": 1}


def maps(width: int, height: int) -> dict[str, tuple[int, int, int, int]]:
    """Name → N, C, H, W of what a YOLOX head gives for this input."""
    return {
        name: (1, CHANNELS[name[:3]], height // int(name[4:]), width // int(name[4:]))
        for name in NAMES
    }


def test_the_onnx_has_the_size_that_was_asked_for_and_is_not_padded_to_a_square(main_path):
    graph = onnx.load(main_path.store.path(main_path.onnx, "model.onnx")).graph
    shape = [dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim]
    assert shape == [1, 3, 160, 256]


def test_the_onnx_ends_before_decoding_with_outputs_named_by_meaning_and_stride(main_path):
    found = {output.name: output.shape for output in main_path.onnx.outputs}
    assert found == maps(256, 160)
    ops = onnx_ops(main_path.store.path(main_path.onnx, "model.onnx"))
    assert not set(ops) & {"NonMaxSuppression", "Exp", "TopK", "Shape", "BatchNormalization"}


def test_the_tflite_file_has_the_same_outputs_in_nhwc(main_path):
    path = main_path.store.path(main_path.tflite, "model.tflite")
    found = {tensor.name: tensor.shape for tensor in output_tensors(read_model(path))}
    assert found == {name: (n, h, w, c) for name, (n, c, h, w) in maps(256, 160).items()}


def test_the_tflite_file_keeps_a_pad_in_front_of_each_stride_2_convolution(main_path):
    # Focus replaces the stem's stride; of the others 4 are in the backbone, 2 in the neck.
    assert tflite_ops(main_path.store.path(main_path.tflite, "model.tflite"))["PAD"] == 6


def test_the_passport_says_what_is_needed_to_run_the_file(main_path):
    passport = read_passport(main_path.store.path(main_path.tflite, "model.tflite"))
    assert passport.head.classes == tuple("0123456789")
    assert (passport.preprocessing.width, passport.preprocessing.height) == (256, 160)
    assert passport.ancestors["onnx"] == main_path.onnx.digest
    assert passport.rotation == Rotation()
    assert [output.name for output in passport.outputs] == NAMES


@pytest.mark.parametrize("model", ["onnx", "tflite"])
def test_every_tensor_reproduces_its_source_on_eight_real_images(main_path, model):
    assert main_path.reports[model].metrics["parity.relative"] <= TOLERANCE
    assert main_path.reports[model].metrics["parity.snr_db"] >= 80


def test_all_three_backends_find_the_same_things(main_path):
    scores = [report.metrics["map"] for report in main_path.reports.values()]
    assert max(scores) - min(scores) <= 0.001
    assert min(scores) > 0.3  # the golden network has learnt its digits
    for model in ("onnx", "tflite"):
        metrics = main_path.reports[model].metrics
        assert (metrics["parity.lost"], metrics["parity.new"]) == (0, 0)
        assert metrics["parity.iou"] == pytest.approx(1, abs=1e-4)


def test_detections_of_our_decoder_equal_those_of_mmdets_own_predict(main_path):
    pytorch, onnx_ = (main_path.reports[name] for name in ("pytorch", "onnx"))
    assert pytorch.metrics["map"] == pytest.approx(onnx_.metrics["map"], abs=1e-6)
    assert onnx_.metrics["parity.score_difference"] < 1e-4


def test_stored_outputs_cover_eight_images(main_path):
    with np.load(main_path.store.path(main_path.reports["tflite"], "outputs.npz")) as outputs:
        assert outputs["cls_8"].shape == (8, 10, 20, 32)
