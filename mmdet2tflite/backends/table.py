"""The table of backends: which program runs which kind of artefact, and how.

Every backend is imported when a model is opened, in the child process, and not before.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet2tflite.artifacts import (
    Checkpoint,
    KerasModel,
    OnnxModel,
    OpenvinoModel,
    TfliteModel,
)
from mmdet2tflite.runtime.runners import Runner

type Model = Checkpoint | OnnxModel | OpenvinoModel | TfliteModel | KerasModel


@dataclass(frozen=True)
class Backend:
    """The program that runs one kind of artefact.

    Args:
        name: as it stands in a report.
        tool: the distribution, for error messages.
        kernel_sets: the backend's ways to compute. The first is evaluated, all are timed.
        label: the variant's name in a report.
        open: ``open(model, folder, kernel_set, threads)``, the folder being the artefact's.
        census: counts the file's operators; None for a model without a graph of its own.
        timed: its number of threads can be set anew for each model, and so its latency compared.
    """

    name: str
    tool: str
    kernel_sets: tuple[str, ...]
    label: Callable[[Any], str]
    open: Callable[[Any, Path, str, int], Runner]
    census: Callable[[Path], Counter[str]] | None = None
    timed: bool = True


def _open_torch(model: Checkpoint, folder: Path, kernel_set: str, threads: int) -> Runner:
    from mmdet2tflite.detector.torch_runner import TorchRunner

    return TorchRunner(folder / model.weights, folder / model.config, model.head, threads)


def _open_onnx(model: OnnxModel, folder: Path, kernel_set: str, threads: int) -> Runner:
    from mmdet2tflite.runtime.runners import OnnxRunner

    return OnnxRunner(folder / model.file, threads)


def _open_openvino(model: OpenvinoModel, folder: Path, kernel_set: str, threads: int) -> Runner:
    from mmdet2tflite.backends.openvino_runner import OpenvinoRunner

    return OpenvinoRunner(folder / model.file, [output.name for output in model.outputs], threads)


def _open_tflite(model: TfliteModel, folder: Path, kernel_set: str, threads: int) -> Runner:
    from mmdet2tflite.runtime.runners import open_tflite

    return open_tflite(model, folder / model.file, threads, xnnpack=kernel_set == "xnnpack")


def _open_keras(model: KerasModel, folder: Path, kernel_set: str, threads: int) -> Runner:
    from mmdet2tflite.backends.keras_runner import KerasRunner
    from mmdet2tflite.runtime.runners import RotatedRunner

    layouts = {output.name: output.layout for output in model.outputs}
    runner = KerasRunner(folder / model.file, layouts, threads)
    return RotatedRunner(runner, model.rotation.outputs) if model.rotation.input else runner


def _count_onnx(path: Path) -> Counter[str]:
    from mmdet2tflite.tflite.census import onnx_ops

    return onnx_ops(path)


def _count_openvino(path: Path) -> Counter[str]:
    from mmdet2tflite.backends.openvino_runner import ir_ops

    return ir_ops(path)


def _count_tflite(path: Path) -> Counter[str]:
    from mmdet2tflite.tflite.census import tflite_ops

    return tflite_ops(path)


def _count_keras(path: Path) -> Counter[str]:
    from mmdet2tflite.backends.keras_runner import keras_ops

    return keras_ops(path)


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
    "tflite": Backend(
        "litert",
        "ai-edge-litert",
        ("xnnpack", "builtin"),
        lambda model: model.variant,
        _open_tflite,
        _count_tflite,
    ),
    "keras": Backend(
        "tensorflow",
        "tensorflow",
        ("tensorflow",),
        lambda model: model.variant,
        _open_keras,
        _count_keras,
        timed=False,
    ),
}
"""By ``kind`` of the artefact."""
