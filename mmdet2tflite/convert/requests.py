"""What the children of a conversion are asked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mmdet2tflite.artifacts import Frozen, KerasModel, OpenvinoModel, RewrittenModel, TfliteModel
from mmdet2tflite.passport import Rotation, Tensor


class CheckRequest(Frozen):
    """``model`` lies in ``work``. It was made of ``source``, whose graph is ``rewritten``.

    ``onnx`` is the graph before any rewriting. The worst errors are returned, as metrics.
    """

    onnx: Path
    source: RewrittenModel
    rewritten: Path
    model: Annotated[TfliteModel | KerasModel, Field(discriminator="kind")]
    images: Sequence[Path]
    tolerance: float
    work: Path


class OpenvinoRequest(Frozen):
    """``model`` is to be made of ``onnx``, in ``work``, and is returned with the worst errors."""

    onnx: Path
    model: OpenvinoModel
    images: Sequence[Path]
    tolerance: float
    work: Path


class KerasRequest(Frozen):
    """``file`` (an ``.h5``, or a folder) is to be written, ``scratch`` is for what goes again.

    ``outputs`` have names and shapes of the ONNX (N x C x H x W); they are returned as they became.
    ``undone`` is what of the graph is rotated by 180° and shall not be in the file.
    """

    onnx: Path
    file: Path
    scratch: Path
    outputs: Sequence[Tensor]
    undone: Rotation
