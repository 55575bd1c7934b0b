"""What a TFLite file says of itself in its metadata, and the parts of it that artefacts share.

Plain dataclasses, for what a user ships runs without pydantic. Where pydantic reads or writes them,
it checks them as strictly as its own models.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal


class Part:
    """For pydantic: an unknown field is an error, and numbers get the types that are declared."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "revalidate_instances": "always"}


@dataclass(frozen=True)
class Head(Part):
    """What a decoder must know of a detector whose graph ends before its post-processing.

    Without a ``family`` (a key of ``FAMILIES``) there is no decoder: nobody here knows what the
    outputs mean. ``strides`` are those of the maps, finest first, ``score_threshold`` is the lowest
    score of a detection, ``nms_iou`` the largest IoU of two of a class. ``max_candidates`` limits
    the boxes of each map before the non-maximum suppression, ``max_detections`` those of the image
    after it.
    """

    family: str | None
    classes: tuple[str, ...]
    strides: tuple[int, ...]
    score_threshold: float
    nms_iou: float
    max_detections: int
    max_candidates: int | None = None


@dataclass(frozen=True)
class Preprocessing(Part):
    """How a picture becomes the input tensor.

    Letterbox: scaled with its aspect ratio kept to fit ``width`` x ``height``, placed in the
    top-left corner, the rest filled with ``pad_value``; then ``(pixel - mean) / std`` per channel,
    in the colour order.
    """

    width: int
    height: int
    colour_order: Literal["bgr", "rgb"] = "bgr"
    pad_value: float = 114.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Tensor(Part):
    """A model's output: ``name`` by meaning and stride (``cls_8``), shape as in the file.

    Without a decoder, the name is the one of the deploy config, numbered in a list (``cls_0``).
    """

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class TfliteOutput(Tensor):
    """An output of a TFLite file, with the shape that it has there.

    ``layout``: a map is NHWC; converters leave some outputs as the ONNX has them, whatever that is.
    """

    layout: Literal["nhwc", "onnx"] = "nhwc"


@dataclass(frozen=True)
class Rotation(Part):
    """Which maps of a model are rotated by 180° (flipped along height and width).

    ``input``: the model wants its input rotated. ``outputs``: names of those that it gives rotated.
    """

    input: bool = False
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HowToRun(Part):
    """All that is needed to run a TFLite file rightly.

    ``outputs`` have the file's own shapes. A file that was converted by itself, without a data set,
    has neither ``head`` nor, if nothing was said of it, ``preprocessing``.
    """

    version: Literal[1] = 1
    head: Head | None
    preprocessing: Preprocessing | None
    outputs: tuple[TfliteOutput, ...]
    rotation: Rotation = Rotation()
    strategy: str


@dataclass(frozen=True, kw_only=True)
class Passport(HowToRun):
    """What a TFLite file says of itself: how it is run, and what it was made of.

    ``exact``: its padding strategy keeps the network's numbers, on the reference backend if the
    strategy is ``engine`` (docs/engine-flag.md). ``tools`` are versions, ``ancestors`` digests of
    the artefacts that the file was made of. ``inputs`` as the file takes them; not written where
    ``preprocessing`` says all, of a detector's one picture.
    """

    exact: bool
    converter: str
    precision: str
    tools: dict[str, str]
    ancestors: dict[str, str]
    inputs: tuple[TfliteOutput, ...] = ()
