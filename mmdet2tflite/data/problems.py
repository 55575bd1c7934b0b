"""What can be wrong with a data set, what mends it, and the verdict whether a run may go on."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from mmdet2tflite.artifacts import Frozen
from mmdet2tflite.config.names import Fix
from mmdet2tflite.errors import DataError
from mmdet2tflite.safe_text import shortened

Unmendable = Literal[
    "missing_annotations",
    "outside_folder",
    "class_name",
    "corrupt_json",
    "corrupt_xml",
    "corrupt_yaml",
    "no_outline",
    "not_coco",
    "not_dota",
    "not_voc",
    "not_yolo",
    "first_pixel",
    "ambiguous_image",
    "ambiguous_id",
    "duplicate_class",
    "unknown_class",
    "empty",
]
Warned = Literal["leak", "duplicate_file", "no_label", "other_class", "not_validated"]
Kind = Fix | Unmendable | Warned

MENDS: dict[Fix, str] = {
    "missing_file": "the image is left out with its boxes",
    "undecodable": "the image is left out with its boxes",
    "size": "the size is taken from the file",
    "zero_area": "the box is left out",
    "self_crossing": "the box is the smallest rectangle around its corners",
    "outside": "the box is clipped to the image, and left out if nothing remains",
    "non_finite": "the box is left out",
    "unknown_category": "the box is left out",
    "unknown_image": "the box is left out",
    "duplicate_id": "annotations are renumbered, a repeated image entry is left out",
}
"""What happens to a problem whose kind is named in ``dataset.fix``."""

SHOWN = 10
LONGEST_MESSAGE = 600


class Problem(Frozen):
    """One thing wrong.

    ``file``: image, json, XML (and object) or text file (and line) that it is in; ``id``: of the
    json's entry concerned.
    """

    kind: Kind
    split: str
    file: str
    id: int | None = None
    message: str

    def __str__(self) -> str:
        entry = "" if self.id is None else f" (id {self.id})"
        file, message = shortened(self.file), shortened(self.message, LONGEST_MESSAGE)
        return f"{self.kind}: {self.split}: {file}{entry}: {message}"


@dataclass(frozen=True)
class Findings:
    """Collects the problems of one split."""

    split: str
    problems: list[Problem] = field(default_factory=list)

    def add(self, kind: Kind, file: str, message: str, id: int | None = None) -> None:
        """Note one problem; the arguments are Problem's."""
        self.problems.append(
            Problem(kind=kind, split=self.split, file=file, id=id, message=message)
        )


def report_problems(problems: Sequence[Problem], fix: Collection[Fix], report: Path) -> None:
    """Write all problems to ``report`` and let the run go on, or not.

    Raises:
        DataError: there is a problem that is neither in ``fix`` nor only warned of.
    """
    report.parent.mkdir(parents=True, exist_ok=True)
    entries = [problem.model_dump() for problem in problems]
    report.write_text(json.dumps(entries, indent=1), encoding="utf-8")
    accepted = {*fix, *get_args(Warned)}
    serious = [problem for problem in problems if problem.kind not in accepted]
    if not serious:
        return
    by_kind = Counter(problem.kind for problem in serious)
    lines = [str(problem) for problem in serious[:SHOWN]]
    if len(serious) > SHOWN:
        lines.append(f"... and {len(serious) - SHOWN} more")
    counts = ", ".join(f"{number} {kind}" for kind, number in by_kind.most_common())
    raise DataError(
        f"{counts}\n    " + "\n    ".join(lines),
        "none of these; the whole report is in " + str(report),
        _remedy(by_kind, fix),
    )


def _remedy(found: Collection[Kind], fix: Collection[Fix]) -> str:
    mendable = [kind for kind in MENDS if kind in found]
    steps = []
    if mendable:
        entries = ",".join(kind for kind in MENDS if kind in mendable or kind in fix)
        steps.append(f"--set dataset.fix=[{entries}]")
        steps += [f"    {kind}: {MENDS[kind]}" for kind in mendable]
    if "outside_folder" in found:
        steps.append("move the files there, or name their folder: dataset.allowed_folders=[FOLDER]")
    others = [kind for kind in found if kind not in MENDS and kind != "outside_folder"]
    if others:
        steps.append(f"correct by hand what cannot be mended: {', '.join(others)}")
    return "\n    ".join(steps)
