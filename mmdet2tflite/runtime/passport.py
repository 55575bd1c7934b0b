"""The passport as the program that runs a file reads it: plain dataclasses, so without pydantic.

``artifacts.Passport`` is what writes it. Read here is what running a file takes; where it came
from (tools, ancestors …) is left out. The fields of the parts are those of ``artifacts``.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet2tflite.errors import ModelError
from mmdet2tflite.files.regular_file import read_regular
from mmdet2tflite.runtime.passport_checks import check_outputs, check_part, shown, text

PASSPORT = "mmdet2tflite"
"""Name of the metadata entry that holds the passport (JSON, UTF-8)."""
VERSION = 1


@dataclass(frozen=True)
class Head:
    """``artifacts.Head``."""

    family: str | None
    classes: tuple[str, ...]
    strides: tuple[int, ...]
    score_threshold: float
    nms_iou: float
    max_detections: int
    max_candidates: int | None = None


@dataclass(frozen=True)
class Preprocessing:
    """``artifacts.Preprocessing``."""

    width: int
    height: int
    colour_order: str
    pad_value: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class Output:
    """``artifacts.TfliteOutput``."""

    name: str
    shape: tuple[int, ...]
    layout: str


@dataclass(frozen=True)
class Rotation:
    """``artifacts.Rotation``."""

    input: bool
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Passport:
    """What of ``artifacts.Passport`` says how a file is run."""

    head: Head | None
    preprocessing: Preprocessing | None
    outputs: tuple[Output, ...]
    rotation: Rotation
    strategy: str


def load_passport(path: Path) -> Passport:
    """The passport of a TFLite file, read without unpacking the network.

    Raises:
        ModelError: the file is missing, broken or no TFLite file; it has no passport, one of
            another version, or one that cannot be understood.
    """
    # LiteRT's schema: not for the types
    from mmdet2tflite.tflite.flatbuffer import LARGEST_FILE, find_metadata

    content = read_regular(path, limit=LARGEST_FILE, error=ModelError)

    entry = find_metadata(content, PASSPORT, str(path))
    if entry is None:
        raise ModelError(
            f"{path} has no passport, which says how it is to be run",
            "a file that mmdet2tflite made",
            "convert the model with mmdet2tflite; any other TFLite file is run by "
            "ai_edge_litert.interpreter.Interpreter",
        )
    try:
        document = json.loads(entry)
        version = document["version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _not_understood(path, error) from None
    if version != VERSION:
        raise ModelError(
            f"{path} has a passport of version {shown(version)}",
            f"version {VERSION}",
            "it was made by a newer mmdet2tflite: upgrade this one",
        )
    try:
        return _passport(document)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise _not_understood(path, error) from None


def _passport(document: Any) -> Passport:
    head, preprocessing = document["head"], document["preprocessing"]
    outputs = tuple(_part(Output, output) for output in document["outputs"])
    rotation = _part(Rotation, document["rotation"])
    check_outputs([output.name for output in outputs], rotation.outputs)
    if not text(document["strategy"]):
        raise ValueError(f"strategy {shown(document['strategy'])}")
    return Passport(
        head=None if head is None else _part(Head, head),
        preprocessing=None if preprocessing is None else _part(Preprocessing, preprocessing),
        outputs=outputs,
        rotation=rotation,
        strategy=document["strategy"],
    )


def _part[T](kind: type[T], fields: Any) -> T:
    """Exactly the fields of ``kind``: one that is not known could change what the others mean."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    check_part(kind.__name__, values)
    return kind(**values)


def _not_understood(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"the passport of {path} cannot be understood: {shown(error)}",
        "what mmdet2tflite writes",
        "convert the model again, or upgrade mmdet2tflite if a newer one made the file",
    )
