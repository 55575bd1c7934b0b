"""Which classes are learnt, and whether both splits agree on them.

The training split's categories are the classes, in the order of their ids, unless
``dataset.classes`` chooses; what it leaves out is warned of (``other_class``). The validation split
has no others.
"""

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mmdet2tflite.data.checks import Place
from mmdet2tflite.data.coco import Category, Unchecked
from mmdet2tflite.data.problems import Findings
from mmdet2tflite.safe_text import shortened, visible

LONGEST_NAME = 100
"""Characters of a class."""


def check_classes(
    parts: Mapping[str, Unchecked], wanted: Sequence[str] | None, findings: Mapping[str, Findings]
) -> tuple[str, ...]:
    """Determine the classes in the order of their indices.

    Args:
        parts: ``train`` and ``val``; ``train`` alone where the split is yet to be made.
        wanted: the classes to learn; None for all categories of ``train`` by their ids.
    """
    for split, part in parts.items():
        _check_distinct(part.coco.categories, findings[split])
        _check_names(part, findings[split])
    categories = sorted(parts["train"].coco.categories, key=lambda c: c.id)
    names = [category.name for category in categories]
    for category in parts["val"].coco.categories if "val" in parts else ():
        if category.name not in names:
            message = f"'{category.name}' is no category of the training split"
            place = _place_of_category(parts["val"], category)
            message += _near(category.name, names)
            findings["val"].add("unknown_category", place.file, message, place.id)
    for category in categories:
        if wanted is not None and category.name not in wanted:
            message = f"'{category.name}' is not in dataset.classes, its boxes are left out"
            place = _place_of_category(parts["train"], category)
            message += _near(category.name, wanted)
            findings["train"].add("other_class", place.file, message, place.id)
    for name in wanted or ():
        if name not in names:
            message = f"there is no category '{name}'{_near(name, names)}"
            findings["train"].add("unknown_class", "dataset.classes", message)
    for name in _repeated(wanted or ()):
        findings["train"].add("duplicate_class", "dataset.classes", f"'{name}' is there twice")
    return tuple(names if wanted is None else wanted)


def _place_of_category(part: Unchecked, category: Category) -> Place:
    """Where a class is first named."""
    for annotation in part.coco.annotations:
        if annotation.category_id == category.id and annotation.id in part.places:
            return Place(part.places[annotation.id], None)
    return Place("categories", category.id)


def _check_names(part: Unchecked, findings: Findings) -> None:
    """A name stands in tables, pictures and in the file: one short line without control codes."""
    for category in part.coco.categories:
        name = category.name
        if not name.strip() or len(name) > LONGEST_NAME or name != visible(name):
            message = f"the name '{shortened(name)}': not 1 to {LONGEST_NAME} visible characters"
            place = _place_of_category(part, category)
            findings.add("class_name", place.file, message, place.id)


def _check_distinct(categories: Sequence[Category], findings: Findings) -> None:
    for what in ("id", "name"):
        for value in _repeated(getattr(category, what) for category in categories):
            message = f"two categories have the {what} {value!r}"
            findings.add("duplicate_class", "categories", message)


def _repeated[T](values: Iterable[T]) -> list[T]:
    return [value for value, number in Counter(values).items() if number > 1]


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"; the nearest is '{near[0]}'" if near else ""
