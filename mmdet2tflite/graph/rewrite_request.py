"""What the child is asked that rewrites a graph. It returns the ``RewrittenModel``."""

from collections.abc import Sequence
from pathlib import Path

from mmdet2tflite.artifacts import Frozen, OnnxModel
from mmdet2tflite.config.names import PaddingName


class RewriteRequest(Frozen):
    """``onnx`` is the model's file; graph and plan go into ``work``, compared on ``images``."""

    model: OnnxModel
    onnx: Path
    padding: PaddingName
    images: Sequence[Path]
    tolerance: float
    work: Path
