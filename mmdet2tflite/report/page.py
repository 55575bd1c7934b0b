"""``report.html``: one file, nothing to download, opened by a double click.

The numbers are those of ``comparison.json``. ``page.html`` is the template; whatever comes from
outside (class names, paths, messages of tools) is escaped by it.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from mmdet2tflite.backends.magnitude_table import written
from mmdet2tflite.errors import one_line
from mmdet2tflite.evaluate.causes import RIGHT
from mmdet2tflite.evaluate.image_score import ImageScore
from mmdet2tflite.evaluate.truth import Truth
from mmdet2tflite.report.columns import COLUMNS, cell
from mmdet2tflite.report.gallery import COLOURS, WIDTH, Thumbnail, legend, outlines
from mmdet2tflite.report.mistakes import MEANINGS, describe
from mmdet2tflite.report.pareto import PLOTS, budget_line, draw, points
from mmdet2tflite.report.svg import svg

TEMPLATE = Path(__file__).with_name("page.html")
STYLE, MISTAKES = TEMPLATE.with_name("style.css"), TEMPLATE.with_name("mistakes.html")
OUTLINE = TEMPLATE.with_name("outline.html")
"""Included by the template."""
CHOICES = {
    "best": "best image",
    "worst": "worst image",
    "confused": "most classes confused",
    "changed": "changed most",
}
SIZES = {"small": "below 32²", "medium": "32² to below 96²", "large": "96² and more"}
BEST_ERROR, WORST_ERROR = 1e-7, 1.0
"""Ends of the heat map's colours, as fractions of an output's range."""


@dataclass(frozen=True)
class Shown:
    """What the galleries show.

    Args:
        classes: names by label.
        truth: boxes and files.
        scores: by variant and image id; the first variant is the reference.
        chosen: by variant, ``best``, ``worst``, ``confused``, ``changed`` → image id.
        analyses: by variant, see ``evaluate.analysis``.

    A model without detections is in none of the last three.
    """

    classes: Sequence[str]
    truth: Truth
    scores: Mapping[str, Mapping[int, ImageScore]]
    chosen: Mapping[str, Mapping[str, int]]
    analyses: Mapping[str, Mapping[str, Any]]


def open_template(file: Path) -> Template:
    """A page's template, which may include files beside it; a missing value is an error."""
    environment = Environment(
        loader=FileSystemLoader(file.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["one_line"] = one_line
    return environment.get_template(file.name)


def render(comparison: Mapping[str, Any], shown: Shown, experiment_yaml: str) -> str:
    """The page."""
    rows = comparison["rows"]
    images = sorted({i for chosen in shown.chosen.values() for i in chosen.values()})
    thumbnails = {image_id: Thumbnail.load(shown.truth.files[image_id]) for image_id in images}
    return open_template(TEMPLATE).render(
        **comparison,
        columns=COLUMNS,
        cell=cell,
        plots=[
            svg(draw(found, label, budget_line(rows, comparison["budget"])), f"mAP against {label}")
            for metric, label in PLOTS.items()
            if (found := points(rows, metric))
        ],
        outputs=list(dict.fromkeys(n for row in rows for n in row.get("tensors", ()))),
        heat=heat,
        pair=_pair,
        written=written,
        tools=_tools(rows),
        judged=describe(shown.analyses),
        meanings=MEANINGS,
        sizes=SIZES,
        width=WIDTH,
        colours=COLOURS,
        thumbnails=thumbnails,
        galleries=_galleries(shown, thumbnails),
        legend=legend(
            (
                boxes
                for variant, chosen in shown.chosen.items()
                for i in chosen.values()
                for boxes in (shown.truth.boxes[i], shown.scores[variant][i].found)
            ),
            shown.classes,
        ),
        experiment_yaml=experiment_yaml,
    )


def heat(relative: float) -> float:
    """0 for an error of 1e-7 of the range or less, 1 for the whole range, logarithmic between."""
    if relative <= BEST_ERROR:
        return 0.0
    position = math.log(relative / BEST_ERROR) / math.log(WORST_ERROR / BEST_ERROR)
    return round(min(1.0, position), 3)


def _pair(values: Sequence[Any]) -> str:
    """``[3, 3]`` → ``3×3``; ``[[1, 0], [1, 0]]`` → ``1,0``, and both axes where they differ."""
    words = [",".join(map(str, v)) if isinstance(v, Sequence) else str(v) for v in values]
    if isinstance(values[0], Sequence):
        return words[0] if words[0] == words[1] else " × ".join(words)
    return "×".join(words)


def _tools(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found = {
        tool: version
        for row in rows
        for origin in row["artefacts"].values()
        for tool, version in origin["tools"].items()
    }
    return dict(sorted(found.items()))


def _galleries(shown: Shown, thumbnails: Mapping[int, Thumbnail]) -> list[dict[str, Any]]:
    """One per model; the one that changed most is open."""
    galleries: list[dict[str, Any]] = []
    for variant, chosen in shown.chosen.items():
        reference = next(iter(shown.chosen))
        pictures = [
            {
                "title": CHOICES[choice],
                "file": shown.truth.files[image_id].name,
                "image": image_id,
                "height": thumbnails[image_id].height,
                "layers": _layers(shown, {reference, variant}, image_id, thumbnails[image_id]),
            }
            for choice, image_id in chosen.items()
        ]
        change = _change(shown, reference, variant, chosen.get("changed"))
        note = f"an image's F1 changes by up to {change:.3f}"
        if not change:
            note = "" if variant == reference else f"every image has {reference}'s F1"
        galleries.append({"variant": variant, "pictures": pictures, "change": change, "note": note})
    most = max((gallery["change"] for gallery in galleries), default=0.0)
    opened = next((g for g in galleries if g["change"] == most), None)
    return [{**gallery, "open": gallery is opened} for gallery in galleries]


def _change(shown: Shown, reference: str, variant: str, image_id: int | None) -> float:
    if image_id is None:
        return 0.0
    return abs(shown.scores[variant][image_id].f1 - shown.scores[reference][image_id].f1)


def _layers(
    shown: Shown, models: Collection[str], image_id: int, thumbnail: Thumbnail
) -> list[dict[str, Any]]:
    """Ground truth (dashed: not found by the last model), then each model (dashed: wrong)."""
    scores = {model: score[image_id] for model, score in shown.scores.items() if model in models}
    *_, last = scores.values()
    found, missed = last.judgement.about([RIGHT]), set(last.judgement.missed())
    fates = {
        box: "missed" if box in missed else "of another class or place"
        for box in range(len(last.truth))
        if box not in found
    }
    layers: list[dict[str, Any]] = [
        {
            "title": "ground truth",
            "numbers": None,
            "boxes": outlines(last.truth, shown.classes, thumbnail.scale, fates),
        }
    ]
    for model, score in scores.items():
        causes = {i: str(c) for i, c in enumerate(score.judgement.causes) if c != RIGHT}
        boxes = outlines(score.found, shown.classes, thumbnail.scale, causes)
        layers.append({"title": model, "numbers": score.numbers(), "boxes": boxes})
    return layers
