"""YOLO: a text file per image with normalised boxes, read strictly and brought into COCO's form.

Rules, those of Ultralytics unless noted:

1. ``data.yaml`` names the classes (``names``, a list or ids with names) and the splits: ``train``
   and ``val`` are a folder with images at any depth, a text file that lists them, or several such.
   They are relative to ``path``, and that to the folder of ``data.yaml`` (Ultralytics: to a folder
   in its settings). Lines of a list are relative to the folder of the list. All that they lead to
   lies in the folder of ``data.yaml`` or in one that the experiment allows.
2. ``../`` at the beginning of ``train`` or ``val`` is dropped if that is where the images are:
   exports are often written for a folder beside theirs.
3. The labels of ``…/images/x/a.jpg`` are ``…/labels/x/a.txt``; where no folder is called
   ``images``, they lie beside the image. Without labels it shows no object (warned of).
4. A line is ``class x y width height``, x and y those of the centre, all but the class in fractions
   of the image's sides. A line of a class and three or more points is an outline, and its box the
   smallest around it. Lines of another length (a confidence, keypoints) are refused.
"""

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from mmdet2tflite.config.dataset import YoloData
from mmdet2tflite.data.coco import Annotation, Category, Coco, Image, Unchecked, wrong_entries
from mmdet2tflite.data.files import (
    MOST_LIST,
    MOST_TEXT,
    SplitName,
    absolute,
    real,
    where_outside,
)
from mmdet2tflite.data.problems import Findings
from mmdet2tflite.files.image_file import SUFFIXES
from mmdet2tflite.files.regular_file import read_user_file, read_user_text
from mmdet2tflite.files.yaml_file import LONGEST, read_yaml

type Box = tuple[float, float, float, float]

BOX_COLUMNS = 5
OUTLINE_COLUMNS = 7
"""The fewest that an outline has: a class and three points."""
LARGEST_CLASS = 1_000_000
FARTHEST = 2.0
"""A value beyond it is in pixels: a box that is partly in the image, and no wider than two images,
has none."""


def _several(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _several_or_none(value: Any) -> Any:
    return None if value is None else _several(value)


def _numbered(value: Any) -> Any:
    return dict(enumerate(value)) if isinstance(value, list) else value


class _DataYaml(BaseModel):
    """The keys of a ``data.yaml`` that a detector needs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: Path = Path(".")
    train: Annotated[tuple[Path, ...], BeforeValidator(_several)]
    val: Annotated[tuple[Path, ...] | None, BeforeValidator(_several_or_none)] = None
    names: Annotated[dict[int, str], BeforeValidator(_numbered)]
    nc: int | None = None
    kpt_shape: Any = None


def read(config: YoloData, split: SplitName, findings: Findings) -> Unchecked | None:
    """Read a split; None if it cannot be used, and then ``findings`` say why."""
    described = _read_yaml(config, findings)
    if described is None:
        return None
    paths = _images(config, described, split, findings)
    if not paths:
        return None
    folder = Path(os.path.commonpath([path.parent for path in paths]))
    within = _allowed(config)
    images: list[Image] = []
    annotations: list[Annotation] = []
    places: dict[int, str] = {}
    for image_id, path in enumerate(paths, start=1):
        name = path.relative_to(folder).as_posix()
        images.append(Image(id=image_id, file_name=name))
        for place, category_id, box in _read_labels(label_file(path), within, name, findings):
            number = len(annotations) + 1
            places[number] = place
            annotations.append(
                Annotation(id=number, image_id=image_id, category_id=category_id, bbox=box)
            )
    _check_labels_were_found(paths, findings)
    categories = tuple(Category(id=number, name=name) for number, name in described.names.items())
    coco = Coco(images=tuple(images), annotations=tuple(annotations), categories=categories)
    return Unchecked(coco, folder, within, places, normalised=True)


def files(config: YoloData, split: SplitName) -> list[Path]:
    """The yaml, the lists, the images and their labels, as far as they can be found; no check."""
    nobody = Findings("")
    result = [_yaml_file(config)]
    described = _read_yaml(config, nobody)
    if described is not None:
        result += _entries(config, described, split)
        for path in _images(config, described, split, nobody):
            result += [path, label_file(path)]
    return result


def label_file(image: Path) -> Path:
    """Where the labels of an image are (rule 3)."""
    images, labels = (f"{os.sep}{name}{os.sep}" for name in ("images", "labels"))
    return Path(labels.join(str(image).rsplit(images, 1))).with_suffix(".txt")


def parse_line(line: str) -> tuple[int, Box]:
    """Read a label (rule 4): class id and x, y of the corner, width, height in fractions.

    Raises:
        ValueError: what is wrong with it.
    """
    texts = line.split()
    try:
        values = [float(text) for text in texts]
    except ValueError:
        raise ValueError(f"'{line}' is not made of numbers") from None
    is_outline = len(values) >= OUTLINE_COLUMNS and len(values) % 2 == 1
    if len(values) != BOX_COLUMNS and not is_outline:
        raise ValueError(
            f"{len(values)} columns: neither a box (class, x, y, width, height) nor an outline "
            "(class and points)"
        )
    if not values[0].is_integer() or abs(values[0]) > LARGEST_CLASS:
        raise ValueError(f"the class is {texts[0]}, no whole number up to {LARGEST_CLASS}")
    if any(FARTHEST < abs(value) < math.inf for value in values[1:]):
        raise ValueError(f"'{line}' is not in fractions of the image's sides: pixels?")
    return int(values[0]), _around(values[1:]) if is_outline else _from_centre(*values[1:])


def _from_centre(x: float, y: float, width: float, height: float) -> Box:
    return x - width / 2, y - height / 2, width, height


def _around(values: list[float]) -> Box:
    if not all(map(math.isfinite, values)):
        return math.nan, math.nan, math.nan, math.nan  # min and max would overlook a NaN
    x, y = min(values[0::2]), min(values[1::2])
    return x, y, max(values[0::2]) - x, max(values[1::2]) - y


def _read_labels(
    path: Path, within: Sequence[Path], image: str, findings: Findings
) -> Iterable[tuple[str, int, Box]]:
    """File and line, class id and box of every label that can be read."""
    if place := where_outside(path, within):
        findings.add("outside_folder", path.name, place)
        return
    try:
        lines = read_user_text(path, MOST_TEXT).splitlines()
    except FileNotFoundError:
        findings.add("no_label", image, f"there is no {path}: taken to show no object")
        return
    except OSError as error:
        findings.add("missing_annotations", path.name, f"{path} cannot be read: {error.strerror}")
        return
    except ValueError:
        findings.add("not_yolo", path.name, f"{path} is no text in UTF-8")
        return
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{Path(image).with_suffix('.txt')}, line {number}"
        try:
            yield place, *parse_line(line.strip())
        except ValueError as error:
            findings.add("not_yolo", place, str(error))


def _check_labels_were_found(paths: list[Path], findings: Findings) -> None:
    if sum(problem.kind == "no_label" for problem in findings.problems) == len(paths):
        message = f"no image has labels; there is no {label_file(paths[0])}, for one"
        findings.add("missing_annotations", "labels", message)


def _read_yaml(config: YoloData, findings: Findings) -> _DataYaml | None:
    path = _yaml_file(config)
    try:
        described = _DataYaml.model_validate(read_yaml(read_user_file(path, LONGEST)))
    except OSError as error:
        findings.add("missing_annotations", path.name, f"{path} cannot be read: {error.strerror}")
    except ValidationError as error:  # which is a ValueError, too
        for message in wrong_entries(error):
            findings.add("not_yolo", path.name, message)
    except ValueError as error:
        findings.add("corrupt_yaml", path.name, str(error))
    else:
        if described.kpt_shape is not None:
            message = "kpt_shape: these labels have keypoints, not only boxes"
            findings.add("not_yolo", path.name, message)
            return None
        if described.nc not in (None, len(described.names)):
            message = f"nc is {described.nc}, but there are {len(described.names)} names"
            findings.add("not_yolo", path.name, message)
            return None
        if described.val is None and config.split is None:
            message = "val: it is missing; with dataset.split={val: 0.2} it is made of train"
            findings.add("not_yolo", path.name, message)
            return None
        if config.split is not None and described.val not in (None, described.train):
            message = "val: it is named here, and dataset.split would make one: leave one out"
            findings.add("not_yolo", path.name, message)
            return None
        return described
    return None


def _yaml_file(config: YoloData) -> Path:
    return absolute(config.data)


def _allowed(config: YoloData) -> tuple[Path, ...]:
    return real([_yaml_file(config).parent, *map(absolute, config.allowed_folders)])


def _entries(config: YoloData, described: _DataYaml, split: SplitName) -> list[Path]:
    """Absolute folders and lists of a split (rules 1 and 2)."""
    root = _yaml_file(config).parent / os.path.expanduser(described.path)
    values: tuple[Path, ...] = getattr(described, split) or ()
    paths = []
    for value in values:
        path = root / value
        if not path.exists() and value.parts[:1] == ("..",):
            inside = root / Path(*value.parts[1:])
            path = inside if inside.exists() else path
        paths.append(_normal(path))
    return paths


def _images(
    config: YoloData, described: _DataYaml, split: SplitName, findings: Findings
) -> list[Path]:
    """Absolute paths of a split's images; where a source has none, findings say so."""
    images: list[Path] = []
    within = _allowed(config)
    for entry in _entries(config, described, split):
        if place := where_outside(entry, within):
            findings.add("outside_folder", config.data.name, f"{split}: {place}")
            continue
        try:
            found = _images_below(entry) if entry.is_dir() else _listed(entry)
        except OSError as error:
            message = f"{split}: {entry} cannot be read: {error.strerror}"
            findings.add("missing_annotations", config.data.name, message)
            continue
        except ValueError:
            findings.add("not_yolo", entry.name, f"{entry} is no text in UTF-8")
            continue
        if not found:
            findings.add("empty", config.data.name, f"{split}: {entry} has no images")
        for path in found:
            if place := where_outside(path, within):
                findings.add("outside_folder", path.name, place)
            else:
                images.append(path)
    return images


def _images_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _listed(path: Path) -> list[Path]:
    lines = read_user_text(path, MOST_LIST).splitlines()
    return [_normal(path.parent / line.strip()) for line in lines if line.strip()]


def _normal(path: Path) -> Path:
    """Without ``..``, and with one slash at its beginning: POSIX lets two mean something else."""
    return Path("/" + os.path.normpath(path).lstrip("/"))
