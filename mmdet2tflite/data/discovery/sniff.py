"""What an annotation file is, by its content. Nothing that is wrong with it raises."""

import codecs
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from mmdet2tflite.config.names import DataFormat
from mmdet2tflite.data import dota, yolo
from mmdet2tflite.data.files import MOST_JSON, MOST_TEXT
from mmdet2tflite.files.regular_file import read_user_file, read_user_text
from mmdet2tflite.files.yaml_file import LONGEST, read_yaml

LINES = 20
"""Of a text file that are looked at."""
NAMES = 50
"""File names of a COCO json that are looked for."""


@dataclass(frozen=True)
class Sniffed:
    """What a file is. ``has_val``: YOLO's YAML names another split than ``train`` as well.

    ``names``: the first ``file_name`` entries of a COCO json, or the YAML's classes.
    """

    kind: DataFormat
    has_val: bool = False
    names: tuple[str, ...] = ()


def sniff(path: Path) -> Sniffed | None:
    """Look into a file; None if it holds no annotations of a known format."""
    look = LOOKS.get(path.suffix.lower())
    try:
        return look(path) if look else None
    except (OSError, ValueError, RecursionError):  # not readable, no text, no JSON or YAML
        return None


def _json(path: Path) -> Sniffed | None:
    values = json.loads(read_user_file(path, MOST_JSON).removeprefix(codecs.BOM_UTF8))
    if not isinstance(values, dict):
        return None
    lists = [values.get(key) for key in ("images", "annotations", "categories")]
    if not all(isinstance(each, list) and all(isinstance(e, dict) for e in each) for each in lists):
        return None
    images, annotations, _ = lists
    if not images or not annotations or "bbox" not in annotations[0]:
        return None
    return Sniffed("coco", names=tuple(str(each.get("file_name")) for each in images[:NAMES]))


def _xml(path: Path) -> Sniffed | None:
    try:
        root = fromstring(read_user_file(path, MOST_TEXT))
    except (DefusedXmlException, ParseError, LookupError):
        return None
    return Sniffed("voc") if root.tag == "annotation" else None


def _yaml(path: Path) -> Sniffed | None:
    values: Any = read_yaml(read_user_file(path, LONGEST))
    if not isinstance(values, dict) or not {"names", "train"} <= values.keys():
        return None
    return Sniffed("yolo", has_val=values.get("val") not in (None, values["train"]))


def _text(path: Path) -> Sniffed | None:
    lines = [line.strip() for line in read_user_text(path, MOST_TEXT).splitlines()]
    lines = [line for line in lines if line and not line.lower().startswith(dota.HEADERS)][:LINES]
    if not lines:
        return None
    if all(_parses(yolo.parse_line, line) for line in lines):
        return Sniffed("yolo")
    return Sniffed("dota") if all(_parses(dota.parse_line, line) for line in lines) else None


def _parses(parse: Callable[[str], object], line: str) -> bool:
    try:
        parse(line)
    except ValueError:
        return False
    return True


LOOKS: Mapping[str, Callable[[Path], Sniffed | None]] = {
    ".json": _json,
    ".txt": _text,
    ".xml": _xml,
    ".yaml": _yaml,
    ".yml": _yaml,
}
"""By a file's suffix, in lower case."""
