"""Estimates what a file loses against its float32 file, from detections and without labels."""

from collections.abc import Sequence
from pathlib import Path

from mmdet2tflite.artifacts import TfliteModel
from mmdet2tflite.parity.agreement import agreement, estimated_loss
from mmdet2tflite.processes.machine import cores
from mmdet2tflite.runtime.decode import Detections, decode
from mmdet2tflite.runtime.images import input_tensor
from mmdet2tflite.runtime.runners import open_tflite


class LossEstimate:
    """In points of mAP, as ``parity.agreement`` estimates it.

    Args:
        model: says what input and outputs mean, of all files.
        file: the float32 file.
        images: at least one.
    """

    def __init__(self, model: TfliteModel, file: Path, images: Sequence[Path]) -> None:
        self._model = model
        self._given = [input_tensor(image, model.preprocessing) for image in images]
        self._expected = self._detections(file)

    def __call__(self, file: Path) -> float:
        """Of a file with the same input and outputs, real or integers."""
        return estimated_loss(agreement(self._expected, self._detections(file)))

    def _detections(self, file: Path) -> dict[int, Detections]:
        model = self._model
        runner = open_tflite(model, file, cores(), True)
        return {
            number: decode(runner.infer(tensor), model.head, model.preprocessing, factor)
            for number, (tensor, factor) in enumerate(self._given)
        }
