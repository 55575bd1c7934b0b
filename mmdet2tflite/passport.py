"""What a TFLite file says of itself in its metadata, and the parts of it that artefacts share.

Plain dataclasses, for what a user ships runs without pydantic. Where pydantic reads or writes them,
it checks them as strictly as its own models.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

type Corners = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels, or a value for each."""


class Part:
    """For pydantic: an unknown field is an error, and numbers get the types that are declared."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "revalidate_instances": "always"}


@dataclass(frozen=True)
class Head(Part):
    """What a decoder must know of a detector whose graph ends before its post-processing.

    Without a ``family`` (a key of ``FAMILIES``) there is no decoder: nobody here knows what the
    outputs mean. ``strides`` are those of the maps, in the order of the head, ``score_threshold``
    is the lowest score of a detection, ``nms_iou`` the largest IoU of two of a class (1: none is
    suppressed). ``max_candidates`` limits the boxes of each map before the non-maximum suppression,
    ``max_detections`` those of the image after it.

    The others are not written where they have their default, so that the files of a family that
    does without them stay as they are. Each decoder says which it reads (``Family.reads``):

    * ``anchors``: of each stride, the boxes that a cell's are coded against, relative to the top
      left corner of the cell, in pixels.
    * ``box_means``, ``box_stds``: deltas = what the network gives times ``box_stds`` plus
      ``box_means``.
    * ``centre_clamp``: the farthest that a centre is from its anchor's, in pixels (YOLOF).
    * ``point_offset``: of a cell's point from its top left corner, in strides.
    * ``base_sizes``: of each stride, the side in pixels that distances are multiples of (FoveaBox).
    * ``score_function``: ``softmax`` has a channel behind the classes for the background.
    * ``objectness_threshold``: lowest objectness of a candidate (YOLOv3).
    * ``peak_window``: side of the square of cells in which a peak is the highest (CenterNet).
    * ``clip``: boxes end at the border of the input.
    * ``keep_empty``: boxes without area count as well.
    * ``angle_version``: the range of the angles of oriented boxes, in degrees: ``le90`` [-90, 90),
      ``le135`` [-45, 135), ``r360`` [-180, 180), ``oc`` as the network gives them.
    """

    family: str | None
    classes: tuple[str, ...]
    strides: tuple[int, ...]
    score_threshold: float
    nms_iou: float
    max_detections: int
    max_candidates: int | None = None
    anchors: tuple[tuple[Corners, ...], ...] = ()
    box_means: Corners = (0.0, 0.0, 0.0, 0.0)
    box_stds: Corners = (1.0, 1.0, 1.0, 1.0)
    centre_clamp: float | None = None
    point_offset: float = 0.0
    base_sizes: tuple[float, ...] = ()
    score_function: Literal["sigmoid", "softmax"] = "sigmoid"
    objectness_threshold: float = 0.0
    peak_window: int = 3
    clip: bool = True
    keep_empty: bool = False
    angle_version: Literal["le90", "le135", "r360", "oc"] | None = None

    ALWAYS_WRITTEN: ClassVar = frozenset(
        {
            "family",
            "classes",
            "strides",
            "score_threshold",
            "nms_iou",
            "max_detections",
            "max_candidates",
        }
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
        """For pydantic alone: a default is left out of what is written."""

        def write(head: "Head", to_values: Callable[["Head"], dict[str, Any]]) -> dict[str, Any]:
            unsaid = {
                field.name for field in fields(head) if getattr(head, field.name) == field.default
            } - cls.ALWAYS_WRITTEN
            return {name: v for name, v in to_values(head).items() if name not in unsaid}

        # As pydantic_core.core_schema.wrap_serializer_function_ser_schema makes it.
        return handler(source) | {"serialization": {"type": "function-wrap", "function": write}}


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
