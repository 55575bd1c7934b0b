"""The table of backends: which program runs which kind of artefact, and how.

Every backend is imported when a model is opened, in the child process, and not before.
"""

from collections import Counter
from pathlib import Path

from mmdet2tflite.artifacts import (
    Checkpoint,
    KerasModel,
    OnnxModel,
    OpenvinoModel,
    TfliteModel,
)
from mmdet2tflite.backends.backend import Backend
from mmdet2tflite.backends.converted import CONVERTED
from mmdet2tflite.runtime.runners import Runner

type Model = Checkpoint | OnnxModel | OpenvinoModel | TfliteModel | KerasModel


def _open_torch(model: Checkpoint, folder: Path, kernel_set: str, threads: int) -> Runner:
    from mmdet2tflite.detector.torch_runner import TorchRunner

    return TorchRunner(folder / model.weights, folder / model.config, model.head, threads)


def _open_onnx(model: OnnxModel, folder: Path, kernel_set: str, threads: int) -> Runner:
    from mmdet2tflite.runtime.runners import OnnxRunner

    return OnnxRunner(folder / model.file, threads, fastest=True)


def _open_openvino(model: OpenvinoModel, folder: Path, kernel_set: str, threads: int) -> Runner:
    from mmdet2tflite.backends.openvino_runner import OpenvinoRunner

    return OpenvinoRunner(folder / model.file, [output.name for output in model.outputs], threads)


def _count_onnx(path: Path) -> Counter[str]:
    from mmdet2tflite.tflite.census import onnx_ops

    return onnx_ops(path)


def _count_openvino(path: Path) -> Counter[str]:
    from mmdet2tflite.backends.openvino_runner import ir_ops

    return ir_ops(path)


BACKENDS: dict[str, Backend] = {
    "checkpoint": Backend("pytorch", "torch", ("pytorch",), lambda model: "PyTorch", _open_torch),
    "onnx": Backend(
        "onnxruntime",
        "onnxruntime",
        ("onnxruntime",),
        lambda model: "ONNX",
        _open_onnx,
        _count_onnx,
    ),
    "openvino": Backend(
        "openvino",
        "openvino",
        ("openvino",),
        lambda model: "OpenVINO",
        _open_openvino,
        _count_openvino,
    ),
    **CONVERTED,
}
"""By ``kind`` of the artefact."""
