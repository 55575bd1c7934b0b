"""The passport as the program that runs a file reads it: without pydantic.

Read is what running a file takes; where it came from (tools, ancestors …) is left out.
"""

import json
from pathlib import Path
from typing import Any

from mmdet2tflite.errors import ModelError
from mmdet2tflite.files.regular_file import read_regular
from mmdet2tflite.passport import Head, HowToRun, Preprocessing, Rotation, TfliteOutput
from mmdet2tflite.runtime.passport_checks import check_outputs, check_part, shown, text

PASSPORT = "mmdet2tflite"
"""Name of the metadata entry that holds the passport (JSON, UTF-8)."""


def load_passport(path: Path) -> HowToRun:
    """What the passport of a TFLite file says of running it, read without unpacking the network.

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
    if version != HowToRun.version:
        raise ModelError(
            f"{path} has a passport of version {shown(version)}",
            f"version {HowToRun.version}",
            "it was made by a newer mmdet2tflite: upgrade this one",
        )
    try:
        return _how_to_run(document)
    except (TypeError, KeyError, AttributeError, ValueError, RecursionError) as error:
        raise _not_understood(path, error) from None


def _how_to_run(document: Any) -> HowToRun:
    head, preprocessing = document["head"], document["preprocessing"]
    outputs = tuple(_part(TfliteOutput, output) for output in document["outputs"])
    rotation = _part(Rotation, document["rotation"])
    check_outputs([output.name for output in outputs], rotation.outputs)
    if not text(document["strategy"]):
        raise ValueError(f"strategy {shown(document['strategy'])}")
    return HowToRun(
        head=None if head is None else _part(Head, head),
        preprocessing=None if preprocessing is None else _part(Preprocessing, preprocessing),
        outputs=outputs,
        rotation=rotation,
        strategy=document["strategy"],
    )


def _part[T](kind: type[T], fields: Any) -> T:
    """Exactly the fields of ``kind``: one that is not known could change what the others mean."""
    values = {name: _frozen(value) for name, value in fields.items()}
    check_part(kind.__name__, values)
    return kind(**values)


def _frozen(value: Any) -> Any:
    """Lists as tuples, those in lists too."""
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value


def _not_understood(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"the passport of {path} cannot be understood: {shown(error)}",
        "what mmdet2tflite writes",
        "convert the model again, or upgrade mmdet2tflite if a newer one made the file",
    )
