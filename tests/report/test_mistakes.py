"""The section *What goes wrong*: what it is made of, and what the page shows."""

import json
import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from mmdet2tflite.evaluate.analysis import ANALYSIS, analyse
from mmdet2tflite.evaluate.causes import CAUSES
from mmdet2tflite.evaluate.error_sheet import draw_curves
from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.report.mistakes import MEANINGS, SHOWN_CLASSES, describe
from tests.evaluate.scenes import CLASSES, A, B, boxes, coco, truth_of
from tests.report.finished_run import Run
from tests.store.building import change

CAT, DOG = 0, 1
FORCED = "force_same (inexact) · onnx2tf · float32"


@pytest.fixture
def analysed(tmp_path):
    """A cat found, a dog taken for a cat, an owl that is not there."""
    annotations = coco({1: [(CAT, A), (DOG, B)]})
    found = {1: boxes((CAT, A), (CAT, B, 0.5), (2, (150, 150, 5, 5)))}
    return analyse(annotations, truth_of(annotations, tmp_path), Evaluated(found, {}), CLASSES)


def test_every_cause_has_a_meaning():
    assert tuple(MEANINGS) == CAUSES


def test_a_row_of_the_matrix_shows_shares_of_what_there_is(analysed):
    (model,) = describe({"PyTorch": analysed})
    rows = {row["name"]: row["cells"] for row in model["confusion"]}
    assert list(rows) == [*CLASSES, ""]
    assert [(cell["count"], cell["share"]) for cell in rows["cat"]] == [
        (1, 1),
        (0, 0),
        (0, 0),
        (0, 0),
    ]
    assert [(cell["count"], cell["share"]) for cell in rows["dog"]] == [
        (1, 1),
        (0, 0),
        (0, 0),
        (0, 0),
    ]
    assert [(cell["count"], cell["share"]) for cell in rows[""]] == [(0, 0), (0, 0), (1, 1), (0, 0)]
    assert [[cell["right"] for cell in cells].index(True) for cells in rows.values()] == [
        0,
        1,
        2,
        3,
    ]


def test_of_many_classes_the_most_confused_are_shown(analysed):
    names = [f"class {number}" for number in range(SHOWN_CLASSES + 5)]
    matrix = np.zeros((len(names) + 1,) * 2, int)
    matrix[3, 3] = 100  # all right
    for label in range(5, len(names)):
        matrix[label, -1] = 2
    many = analysed | {
        "confusion": matrix.tolist(),
        "classes": dict.fromkeys(names, analysed["classes"]["cat"]),
        "curves": dict.fromkeys(names, analysed["curves"]["cat"]),
    }
    (model,) = describe({"PyTorch": many})
    assert model["shown"] == list(range(5, len(names)))
    hovered = re.findall(r"<title>1.000 (.*?)</title>", model["curves"])
    assert list(dict.fromkeys(hovered)) == names[5:]
    assert len(model["confusion"]) == SHOWN_CLASSES + 1


def test_every_class_with_boxes_has_its_curve_and_a_dot_where_it_has_detections(analysed):
    axes = Figure().subplots()
    draw_curves(axes, analysed)
    cat, dot, dog = axes.lines  # the owl has no boxes, and the dog no detections
    ends = cat.get_xydata()[[0, -1]].tolist()
    assert ends == [[0, 1], [1, 1]]
    assert dot.get_xydata().tolist() == [[1, 0.5]]
    assert len(dog.get_xydata()) == 0
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["1.000 cat", "0.000 dog"]


def test_only_the_first_model_is_open(analysed):
    models = describe({"a": analysed, "b": analysed})
    assert [model["open"] for model in models] == [True, False]


def test_models_without_detections_are_compared_and_nothing_is_said_of_their_mistakes(
    finished: Run,
):
    outcomes = finished.outcomes()
    for outcome in outcomes:
        if outcome.report:
            for name in (ANALYSIS, "detections.json"):
                change(finished.store, outcome.report, lambda f, n=name: (f / n).unlink())
    comparison = finished.compare(outcomes)
    numbers = json.loads(finished.store.path(comparison, comparison.numbers).read_text())
    page = finished.store.path(comparison, comparison.page).read_text()
    assert (numbers["mistakes"], numbers["gallery"]) == ({}, {})
    assert numbers["dataset"]["boxes"] == 3
    assert "What goes wrong" not in page
    assert "<h2>Pictures" not in page
