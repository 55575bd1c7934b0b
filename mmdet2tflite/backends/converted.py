"""The backends of what a converter makes. Apart from the others, for a conversion checks its file:
what runs a network before it is converted decides about no converted file.
"""

from collections import Counter
from pathlib import Path

from mmdet2tflite.artifacts import KerasModel, TfliteModel
from mmdet2tflite.backends.backend import Backend
from mmdet2tflite.runtime.runners import Runner


def _open_tflite(model: TfliteModel, folder: Path, kernel_set: str, threads: int) -> Runner:
    from mmdet2tflite.runtime.runners import open_tflite

    return open_tflite(model, folder / model.file, threads, xnnpack=kernel_set == "xnnpack")


def _open_keras(model: KerasModel, folder: Path, kernel_set: str, threads: int) -> Runner:
    from mmdet2tflite.backends.keras_runner import KerasRunner
    from mmdet2tflite.runtime.runners import RotatedRunner

    layouts = {output.name: output.layout for output in model.outputs}
    runner = KerasRunner(folder / model.file, layouts, threads)
    return RotatedRunner(runner, model.rotation.outputs) if model.rotation.input else runner


def _count_tflite(path: Path) -> Counter[str]:
    from mmdet2tflite.tflite.census import tflite_ops

    return tflite_ops(path)


def _count_keras(path: Path) -> Counter[str]:
    from mmdet2tflite.backends.keras_runner import keras_ops

    return keras_ops(path)


CONVERTED: dict[str, Backend] = {
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
