"""Finds the data set in a folder by what its files hold, not by what they are called.

Rules:

1. COCO: a json with the lists ``images``, ``annotations`` (with ``bbox``) and ``categories``.
   VOC: an XML with the root ``annotation``. YOLO: a YAML with ``names`` and ``train``, or text
   files with lines of a class and four fractions. DOTA: text files with lines of eight numbers, a
   name and 0, 1 or 2. Of many files in one folder, ``LOOKED_AT`` speak for all.
2. Pictures belong to annotations by ``file_name`` (COCO), or by the same name (all others). They
   lie in the folder, or in one beside it.
3. Of several parts (files or folders) of one format, words in their paths say which one trains
   (``train``) and which validates (``val``, ``valid``, ``validation``); ``test`` is left alone. One
   part alone is the source of a split that is made; VOC's lists of names are looked for first.
4. More than one reading is no reading: the user names a format or a folder.
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmdet2tflite.config.names import DataFormat
from mmdet2tflite.data.discovery import found as errors
from mmdet2tflite.data.discovery.found import Found, Part
from mmdet2tflite.data.discovery.listing import Listing, list_beside, list_files
from mmdet2tflite.data.discovery.sniff import sniff
from mmdet2tflite.data.files import MOST_TEXT
from mmdet2tflite.files.regular_file import read_user_text

LOOKED_AT = 5
TRAIN, VAL, TEST = {"train", "training"}, {"val", "valid", "validation"}, {"test", "testing"}


def discover(folder: Path, kind: DataFormat | None = None) -> Found:
    """Find the one data set in a folder.

    Args:
        folder: absolute.
        kind: the only format to look for.

    Raises:
        DataError: no such folder, no pictures, no annotations, several data sets.
    """
    if not os.path.isdir(folder):  # pathlib's raises for a name that no file can have
        raise errors.no_folder(folder)
    listing = list_files(folder)
    parts = [part for part in _parts(listing) if kind in (None, part.kind)]
    if not parts:
        raise errors.no_annotations(listing, kind)
    kinds = sorted({part.kind for part in parts})
    if len(kinds) > 1:
        raise errors.several(parts, f"name one: --format {kinds[0]}, or the folder of one")
    train, val, left = _roles(parts)
    where, notes = _pictures_of(listing, [train, *([val] if val else [])])
    if left:
        notes.append(f"left alone: {', '.join(_relative(part.path, folder) for part in left)}")
    folders = [
        each.path.parent if each.path.is_file() else each.path for each in (train, val) if each
    ]
    root = Path(os.path.commonpath([*folders, *where.values()]))
    sets = _image_sets(listing, train) if train.kind == "voc" and val is None else {}
    if sets:
        root = Path(os.path.commonpath([root, *sets.values()]))
    return Found(root, train, val, where, tuple(notes), sets, _class_list(listing))


def _parts(listing: Listing) -> list[Part]:
    """All annotations that are found; where a YAML describes YOLO's, not their folders as well."""
    parts: list[Part] = []
    for folder, files in listing.others.items():
        for path in files:
            if path.suffix.lower() in (".json", ".yaml", ".yml") and (what := sniff(path)):
                parts.append(Part(what.kind, path, (path,), what.has_val, what.names))
        for suffix in (".xml", ".txt"):
            same = tuple(path for path in files if path.suffix.lower() == suffix)
            heard = Counter(what.kind for path in _spread(same) if (what := sniff(path)))
            if heard:
                parts.append(Part(heard.most_common(1)[0][0], folder, same))
    if any(part.kind == "yolo" and part.path.is_file() for part in parts):
        parts = [part for part in parts if part.kind != "yolo" or part.path.is_file()]
    return parts


def _spread(files: Sequence[Path]) -> list[Path]:
    """A few files from all over a list: the first ones may be empty, or no labels."""
    if len(files) <= LOOKED_AT:
        return list(files)
    return [files[len(files) * at // LOOKED_AT] for at in range(LOOKED_AT)]


def _roles(parts: Sequence[Part]) -> tuple[Part, Part | None, list[Part]]:
    """Which part trains, which validates, and which do neither (rule 3)."""
    if len(parts) == 1:
        return parts[0], None, []
    common = Path(os.path.commonpath([part.path.parent for part in parts]))
    by_role: dict[str, list[Part]] = {"train": [], "val": [], "test": [], "": []}
    for part in parts:
        by_role[_role(part.path.relative_to(common))].append(part)
    train, val, other = by_role["train"], by_role["val"], by_role[""]
    if len(train) == 1 and len(val) <= 1:
        return train[0], (val[0] if val else None), [*by_role["test"], *other]
    if not train and not val and len(other) == 1:
        return other[0], None, by_role["test"]
    raise errors.several(parts, "name the folder of one, or call the parts train and val")


def _role(path: Path) -> str:
    words = {word for part in path.parts for word in _words(part)}
    for role, names in (("test", TEST), ("val", VAL), ("train", TRAIN)):
        if words & names:
            return role
    return ""


def _words(text: str) -> list[str]:
    """``instances_train2017.json`` → instances, train, json."""
    return "".join(each if each.isalpha() else " " for each in text.lower()).split()


def _pictures_of(listing: Listing, parts: Sequence[Part]) -> tuple[dict[Path, Path], list[str]]:
    """The folder of each part's pictures (rule 2), and what is to be said about it."""
    if parts[0].kind == "yolo" and parts[0].path.is_file():
        if not listing.pictures:
            raise errors.no_pictures(listing, parts[0])
        return {}, []
    where: dict[Path, Path] = {}
    notes: list[str] = []
    for part in parts:
        folder = _best(part, listing)
        if folder is None:
            folder = _best(part, list_beside(listing.root))
            if folder is None:
                raise errors.no_pictures(listing, part)
            notes.append(f"the pictures lie beside the folder, in {folder}")
        where[part.path] = folder
    return where, notes


def _best(part: Part, listing: Listing) -> Path | None:
    """The folder that holds the most of a part's pictures; the nearest one of equals."""
    if part.kind == "coco":
        places = dict.fromkeys([part.path.parent, listing.root, *_with_parents(listing)])
        score = {each: sum(os.path.isfile(each / name) for name in part.names) for each in places}
    else:
        stems = {path.stem for path in part.files}
        score = {
            each: sum(path.stem in stems for path in files)
            for each, files in listing.images.items()
        }
    best = max(score, key=lambda each: (score[each], _nearness(each, part.path)), default=None)
    return best if best is not None and score[best] else None


def _with_parents(listing: Listing) -> list[Path]:
    """Folders with pictures and those above them: a ``file_name`` may have folders itself."""
    return [
        each
        for folder in listing.images
        for each in (folder, *folder.parents)
        if each.is_relative_to(listing.root)
    ]


def _nearness(folder: Path, annotations: Path) -> int:
    return len(os.path.commonpath([folder, annotations]))


def _image_sets(listing: Listing, part: Part) -> dict[str, Path]:
    """Text files called train and val whose lines are names of the part's files, if both are."""
    stems = {path.stem for path in part.files}
    sets: dict[str, Path] = {}
    for path in _texts(listing):
        role = _role(Path(path.name))
        if role in ("train", "val") and (lines := _lines(path)) and stems.issuperset(lines):
            sets.setdefault(role, path)
    return sets if len(sets) > 1 else {}


def _class_list(listing: Listing) -> tuple[str, ...]:
    """Lines of classes.txt or of darknet's obj.names, which tools write beside YOLO's labels."""
    for path in _texts(listing):
        if path.suffix == ".names" or path.name == "classes.txt":
            return tuple(_lines(path))
    return ()


def _texts(listing: Listing) -> Iterable[Path]:
    for files in listing.others.values():
        yield from (path for path in files if path.suffix in (".txt", ".names"))


def _lines(path: Path) -> list[str]:
    try:
        lines = read_user_text(path, MOST_TEXT).splitlines()
    except (OSError, ValueError):  # not readable, no text
        return []
    return [line.strip() for line in lines if line.strip()]


def _relative(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
