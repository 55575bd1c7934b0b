"""The values that flow between stages: small, frozen, JSON; their files live in the store.

``Experiment → Dataset → Checkpoint → OnnxModel → RewrittenModel → TfliteModel → Report →
Comparison``
"""

from typing import Any, Literal, override

from pydantic import BaseModel, ConfigDict

from mmdet2tflite.config.names import FormatName
from mmdet2tflite.passport import Head, Preprocessing, Rotation, Tensor, TfliteOutput


class Frozen(BaseModel):
    """Immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Artifact(Frozen):
    """A finished stage. ``stage``, ``key`` and ``digest`` are filled in by the store.

    ``key`` says what the stage was asked to do, ``digest`` what came out of it: two keys with the
    same digest lead to the same keys downstream.
    """

    stage: str = ""
    key: str = ""
    digest: str = ""
    metrics: dict[str, float] = {}

    def identity(self) -> dict[str, Any]:
        """The fields that, besides the files, make up the digest."""
        return self.model_dump(mode="json", exclude={"stage", "key", "digest", "metrics"})


class Split(Frozen):
    """One part of a data set.

    ``annotations`` is a COCO json inside the artefact. ``image_root`` is an absolute folder, or ""
    where the images lie beside the json. ``images_digest`` covers the content of every image.
    """

    annotations: str
    image_root: str
    images: int
    boxes: int
    images_digest: str


class Dataset(Artifact):
    """A checked data set. Class ids in the json run from 0 in the order of ``classes``."""

    kind: Literal["dataset"] = "dataset"
    classes: tuple[str, ...]
    train: Split
    val: Split

    @override
    def identity(self) -> dict[str, Any]:
        # Where the images lie is no part of what they are.
        fields = super().identity()
        for split in ("train", "val"):
            del fields[split]["image_root"]
        return fields


class Checkpoint(Artifact):
    """Trained weights with the complete mmdet config that made them."""

    kind: Literal["checkpoint"] = "checkpoint"
    weights: str = "weights.pth"
    config: str = "config.py"
    head: Head
    preprocessing: Preprocessing
    epoch: int


class OnnxModel(Artifact):
    """An ONNX graph that ends at the cut. Input and outputs are NCHW, float32, batch 1."""

    kind: Literal["onnx"] = "onnx"
    file: str = "model.onnx"
    head: Head
    preprocessing: Preprocessing
    outputs: tuple[Tensor, ...]
    opset: int


class OpenvinoModel(Artifact):
    """An ONNX model as OpenVINO's intermediate representation, its numbers and names unchanged."""

    kind: Literal["openvino"] = "openvino"
    file: str = "model.xml"
    weights: str = "model.bin"
    head: Head
    preprocessing: Preprocessing
    outputs: tuple[Tensor, ...]


class RewrittenModel(Artifact):
    """An ONNX graph whose padding every converter can write, as a strategy decided it.

    Names and shapes of input and outputs are those of the original. ``exact``: so are its numbers.
    ``pads`` is the number of PAD operators that the converted file will have. ``rotation`` is the
    graph's; ``upright`` says that the finished file shall have none. ``flags`` are the true pads
    (top, bottom, left, right) of convolutions that are written SAME for a backend that honours
    them.
    """

    kind: Literal["rewritten"] = "rewritten"
    file: str = "model.onnx"
    plan: str = "plan.json"
    head: Head
    preprocessing: Preprocessing
    outputs: tuple[Tensor, ...]
    strategy: str
    exact: bool
    pads: int
    rotation: Rotation
    upright: bool
    flags: dict[str, tuple[int, int, int, int]] = {}


class TfliteModel(Artifact):
    """A TFLite file. The input is NHWC, the batch 1; output names are those of the ONNX."""

    kind: Literal["tflite"] = "tflite"
    file: str = "model.tflite"
    head: Head
    preprocessing: Preprocessing
    outputs: tuple[TfliteOutput, ...]
    rotation: Rotation = Rotation()
    strategy: str
    exact: bool
    converter: str
    precision: str

    @property
    def variant(self) -> str:
        """``explicit · onnx2tf · float32``; a strategy that changes the numbers says so."""
        return variant_name(self.strategy, self.converter, self.precision, exact=self.exact)


class KerasModel(Artifact):
    """A Keras 2 ``.h5`` file or a SavedModel folder (``file``), float32, with its passport beside.

    The input is NHWC, the batch 1; output names are those of the ONNX.
    """

    kind: Literal["keras"] = "keras"
    file: str
    passport: str = "passport.json"
    head: Head
    preprocessing: Preprocessing
    outputs: tuple[TfliteOutput, ...]
    rotation: Rotation = Rotation()
    strategy: str
    exact: bool
    converter: str
    precision: Literal["float32"] = "float32"
    format: FormatName

    @property
    def variant(self) -> str:
        """``mirror · onnx2tf · float32 · h5``"""
        return variant_name(
            self.strategy, self.converter, self.precision, self.format, exact=self.exact
        )


def variant_name(
    strategy: str, converter: str, precision: str, file_format: str = "", *, exact: bool = True
) -> str:
    """``force_same (inexact) · onnx2tf · float32``; no format stands for TFLite."""
    parts = (strategy if exact else f"{strategy} (inexact)", converter, precision, file_format)
    return " · ".join(part for part in parts if part)


class Report(Artifact):
    """One model on the validation images: accuracy, parity with its source, latency, size, ops."""

    kind: Literal["report"] = "report"
    runtime: str
    variant: str
    model: str
    compared_with: str = ""


class Comparison(Artifact):
    """All models of a run side by side: ``numbers`` for programs, ``page`` for people."""

    kind: Literal["comparison"] = "comparison"
    page: str = "report.html"
    numbers: str = "comparison.json"
    experiment: str
    summary: str
    failed: tuple[str, ...] = ()


KINDS: dict[str, type[Artifact]] = {
    "dataset": Dataset,
    "checkpoint": Checkpoint,
    "onnx": OnnxModel,
    "openvino": OpenvinoModel,
    "rewritten": RewrittenModel,
    "tflite": TfliteModel,
    "keras": KerasModel,
    "report": Report,
    "comparison": Comparison,
}
