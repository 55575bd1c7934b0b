"""PyTorch as a backend: mmdet's own model, pipeline, decoding and NMS. Child processes only."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mmdet2tflite.detector import compat

compat.prepare()  # before anything imports mmdet

import numpy as np  # noqa: E402
import torch  # noqa: E402
from mmdet.apis import inference_detector, init_detector  # noqa: E402
from mmdet.structures.bbox import get_box_tensor  # noqa: E402
from mmengine.config import Config  # noqa: E402

from mmdet2tflite.detector import augment, layers  # noqa: E402, F401  (the config names their classes)
from mmdet2tflite.detector.scope import enter_scope  # noqa: E402
from mmdet2tflite.errors import ModelError  # noqa: E402
from mmdet2tflite.passport import Head  # noqa: E402
from mmdet2tflite.runtime.decode import FAMILIES, Detections, Floats  # noqa: E402
from mmdet2tflite.runtime.decode.corners import upright  # noqa: E402

ORIENTED = 5
"""Numbers of an oriented box: centre, sides and angle."""


def named_maps(
    head: Head, meanings: Sequence[str], maps: Sequence[Sequence[torch.Tensor]]
) -> dict[str, Floats]:
    """What a head returns, by meaning and stride (``cls_8``). Raises ModelError."""
    lengths = [len(levels) for levels in maps]
    if lengths != [len(head.strides)] * len(meanings):
        raise ModelError(
            f"the head returns lists of {lengths} maps",
            f"{len(meanings)} lists ({', '.join(meanings)}) of {len(head.strides)} maps, one for "
            "each stride",
            "check the head and its anchor_generator in the file of detector.config",
        )
    return {
        f"{meaning}_{stride}": level.numpy()
        for meaning, levels in zip(meanings, maps, strict=True)
        for stride, level in zip(head.strides, levels, strict=True)
    }


class TorchRunner:
    """A checkpoint in mmdet, on the CPU.

    Args:
        weights: the ``.pth`` file.
        config: the complete mmdet config that belongs to it.
        threads: of PyTorch's intra-op pool.
    """

    def __init__(self, weights: Path, config: Path, head: Head, threads: int) -> None:
        self._threads = threads
        cfg = Config.fromfile(str(config))
        enter_scope(cfg)
        self._model = init_detector(cfg, str(weights), palette="random", device="cpu")
        self._head = head

    def predict(self, image: Path) -> Detections:
        """mmdet's own predict, in pixels of the image; the best ``max_detections``."""
        found = inference_detector(self._model, str(image)).pred_instances
        boxes = get_box_tensor(found.bboxes).numpy().astype(np.float32)
        oriented = boxes if boxes.shape[1] == ORIENTED else None
        detections = Detections(
            boxes=boxes if oriented is None else upright(oriented),
            scores=found.scores.numpy().astype(np.float32),
            labels=found.labels.numpy().astype(np.int64),
            oriented=oriented,
        )
        return detections.best(self._head.max_detections)

    def infer(self, tensor: Floats) -> dict[str, Floats]:
        """Raw outputs of the head (1 x C x H x W) by meaning and stride; none of no family's."""
        if self._head.family is None:
            return {}
        return named_maps(self._head, FAMILIES[self._head.family].maps, self._forward(tensor))

    def bind(self, tensor: Floats) -> Callable[[], object]:
        """A function that runs the network, without decoding."""
        return lambda: self._forward(tensor)

    @torch.inference_mode()
    def _forward(self, tensor: Floats) -> tuple[list[torch.Tensor], ...]:
        # Not through mmdet's data preprocessor: letterbox has normalised already.
        torch.set_num_threads(self._threads)  # process-wide, and several runners take turns
        outputs: tuple[list[torch.Tensor], ...] = self._model(torch.from_numpy(tensor))
        return outputs
