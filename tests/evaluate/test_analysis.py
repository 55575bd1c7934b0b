"""analysis.json: counts, per class and size, and what other tools stumble over."""

import json

import numpy as np
import pytest

from mmdet2tflite.evaluate.analysis import (
    analyse,
    analysis_metrics,
    lost_classes,
    what_goes_wrong,
)
from mmdet2tflite.evaluate.causes import CAUSES
from mmdet2tflite.evaluate.results import Evaluated
from tests.evaluate.scenes import CLASSES, NOTHING, A, B, boxes, coco, random_scene, truth_of, wide

CAT, DOG, OWL = 0, 1, 2
SMALL, LARGE = (0, 0, 20, 20), (50, 50, 100, 100)
STRAY = (150, 150, 5, 5)


@pytest.fixture
def analysed(tmp_path):
    def make(images, found, crowds=()):
        annotations = coco(images, crowds)
        truth = truth_of(annotations, tmp_path)
        return analyse(annotations, truth, Evaluated(found, {}), CLASSES)

    return make


def counts(analysis):
    return {cause: error["count"] for cause, error in analysis["errors"].items() if error["count"]}


def test_all_that_goes_wrong_is_counted_with_a_score_of_at_least_0_3(analysed):
    found = analysed(
        {1: [(CAT, A), (DOG, B)], 2: [(OWL, A)], 3: []},
        {
            1: boxes((CAT, A), (CAT, A, 0.8), (CAT, B, 0.3), (OWL, STRAY, 0.29)),
            2: boxes((CAT, wide(A, 30)), (OWL, A, 0.1)),
            3: boxes((CAT, A)),
        },
    )
    assert counts(found) == {"class": 1, "both": 1, "duplicate": 1, "background": 1, "missed": 1}
    assert (found["images"], found["boxes"], found["found"], found["right"]) == (3, 3, 5, 1)
    assert analysis_metrics(found) == {
        "errors.class": 1,
        "errors.localisation": 0,
        "errors.both": 1,
        "errors.duplicate": 1,
        "errors.background": 1,
        "errors.missed": 1,
    }


def test_detections_are_counted_for_their_class_and_boxes_for_theirs(analysed):
    classes = analysed(
        {1: [(CAT, A), (DOG, B)], 2: [(DOG, A)]},
        {1: boxes((CAT, A), (CAT, B)), 2: boxes((CAT, STRAY))},
    )["classes"]
    assert {name: classes["cat"][name] for name in ("boxes", "found", "right")} == {
        "boxes": 1,
        "found": 3,
        "right": 1,
    }
    assert (classes["cat"]["precision"], classes["cat"]["recall"]) == (pytest.approx(1 / 3), 1)
    assert classes["cat"]["errors"] == dict.fromkeys(CAUSES, 0) | {"class": 1, "background": 1}
    assert classes["dog"]["errors"] == dict.fromkeys(CAUSES, 0) | {"missed": 1}
    assert (classes["dog"]["boxes"], classes["dog"]["recall"]) == (2, 0)


def test_a_class_that_is_never_predicted_has_no_precision_and_no_recall_to_speak_of(analysed):
    dog = analysed({1: [(CAT, A), (DOG, B)]}, {1: boxes((CAT, A))})["classes"]["dog"]
    assert (dog["precision"], dog["recall"], dog["average_precision"]) == (None, 0, 0)


def test_a_class_without_boxes_has_a_precision_all_the_same(analysed):
    owl = analysed({1: [(CAT, A)]}, {1: boxes((CAT, A), (OWL, B))})["classes"]["owl"]
    assert (owl["precision"], owl["recall"], owl["average_precision"]) == (0, None, None)
    assert owl["errors"]["background"] == 1


@pytest.mark.parametrize(
    ("images", "found", "expected"),
    [
        ({1: []}, {1: NOTHING}, {}),
        ({1: [], 2: []}, {1: boxes((CAT, A)), 2: NOTHING}, {"background": 1}),
        ({1: [(CAT, A), (DOG, B)]}, {1: NOTHING}, {"missed": 2}),
        ({1: [(CAT, A)], 2: []}, {1: NOTHING, 2: boxes((DOG, B))}, {"background": 1, "missed": 1}),
    ],
    ids=["nothing at all", "no boxes", "no detections", "each in another image"],
)
def test_images_without_boxes_and_images_without_detections_are_analysed(
    analysed, images, found, expected
):
    analysis = analysed(images, found)
    assert counts(analysis) == expected
    json.dumps(analysis, allow_nan=False)


def test_without_boxes_nothing_is_said_of_what_could_be_gained(analysed):
    errors = analysed({1: []}, {1: boxes((CAT, A))})["errors"]
    assert {error["gain_map_50"] for error in errors.values()} == {None}


def test_boxes_are_counted_by_the_size_that_coco_gives_them(analysed):
    at_the_limit = (60, 0, 32, 32)
    sizes = analysed(
        {1: [(CAT, SMALL), (CAT, LARGE), (CAT, at_the_limit)]},
        {1: boxes((CAT, LARGE), (CAT, wide(SMALL, 60)))},
    )["sizes"]
    numbers = {name: (s["boxes"], s["right"], s["recall"]) for name, s in sizes.items()}
    assert numbers == {"small": (1, 0, 0), "medium": (1, 0, 0), "large": (1, 1, 1)}


def test_sizes_without_boxes_have_no_recall(analysed):
    sizes = analysed({1: [(CAT, SMALL)]}, {1: NOTHING})["sizes"]
    assert [size["recall"] for size in sizes.values()] == [0, None, None]


def test_rows_of_the_confusion_matrix_are_boxes_and_its_columns_detections(analysed):
    matrix = analysed(
        {1: [(CAT, A), (DOG, B)], 2: [(DOG, A)]},
        {1: boxes((CAT, A), (OWL, B), (DOG, STRAY, 0.2)), 2: boxes((CAT, STRAY))},
    )["confusion"]
    assert matrix == [
        [1, 0, 0, 0],
        [0, 0, 1, 1],  # a dog taken for an owl, a dog not found
        [0, 0, 0, 0],
        [1, 0, 0, 0],  # a cat where nothing is
    ]


def test_detections_in_a_crowd_are_in_no_count(analysed):
    found = analysed({1: [(CAT, A)]}, {1: boxes((CAT, A), (CAT, B))}, crowds=[(1, CAT, B)])
    assert counts(found) == {}
    assert np.sum(found["confusion"]) == found["found"] == 1


@pytest.mark.parametrize("seed", range(4))
def test_every_detection_and_every_box_is_counted_once(seed, tmp_path):
    annotations, found = random_scene(seed)
    truth = truth_of(annotations, tmp_path)
    analysis = analyse(annotations, truth, Evaluated(found, {}), CLASSES)
    wrong = sum(n for cause, n in counts(analysis).items() if cause != "missed")
    assert analysis["right"] + wrong == analysis["found"]
    matrix = np.array(analysis["confusion"])
    assert matrix[:, :-1].sum() == analysis["found"]
    assert matrix[:-1].sum() == analysis["boxes"] == sum(map(len, truth.boxes.values()))
    for name in ("boxes", "found", "right"):
        assert sum(c[name] for c in analysis["classes"].values()) == analysis[name]
    for name in ("boxes", "right"):
        assert sum(s[name] for s in analysis["sizes"].values()) == analysis[name]
    for cause in CAUSES:
        of_classes = sum(c["errors"][cause] for c in analysis["classes"].values())
        assert of_classes == analysis["errors"][cause]["count"]


def test_the_images_to_look_at_are_named(analysed):
    found = analysed(
        {1: [(CAT, A)], 2: [(CAT, A)], 3: [(CAT, A)]},
        {1: boxes((CAT, A)), 2: boxes((DOG, A)), 3: boxes((CAT, A), (CAT, B))},
    )
    assert {name: entry["image"] for name, entry in found["chosen"].items()} == {
        "best": 1,
        "worst": 2,
        "confused": 2,
    }
    assert found["chosen"]["worst"]["file"] == "2.png"
    assert found["chosen"]["worst"]["f1"] == 0


def test_a_sentence_names_the_causes_the_most_frequent_first(analysed):
    found = analysed({1: [(CAT, A), (DOG, B)]}, {1: boxes((CAT, A), (CAT, STRAY), (OWL, STRAY))})
    assert what_goes_wrong(found) == (
        "1 of 2 boxes are found; what goes wrong: 2 background, 1 missed."
    )
    perfect = analysed({1: [(CAT, A)]}, {1: boxes((CAT, A))})
    assert what_goes_wrong(perfect) == "1 of 1 boxes are found, and nothing is wrong."


def test_a_lost_class_has_boxes_of_which_none_is_found_right(analysed):
    # The cat is found, the dog below a score of 0.3, and there is no owl.
    found = analysed({1: [(CAT, A), (DOG, B)]}, {1: boxes((CAT, A), (DOG, B, 0.29))})
    assert lost_classes(found) == ["dog"]
