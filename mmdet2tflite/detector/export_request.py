"""What the child is asked that exports a network. It returns the ``OnnxModel``."""

from collections.abc import Sequence
from pathlib import Path

from mmdet2tflite.artifacts import Frozen
from mmdet2tflite.config.experiment import Export
from mmdet2tflite.passport import Head, Preprocessing

BASE = Path("configs/deploy/base.py")
"""What every deploy config shares, relative to the root of the project."""


class ExportRequest(Frozen):
    """``weights`` and ``config`` are a checkpoint's files; the ONNX goes into ``work``.

    Without an ``export.deploy_config`` the network is cut behind its head.
    """

    export: Export
    head: Head
    preprocessing: Preprocessing
    weights: Path
    config: Path
    images: Sequence[Path]
    work: Path
