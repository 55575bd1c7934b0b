"""What goes wrong with oriented boxes: truth, causes, confusion, and the analysis of it all."""

from dataclasses import replace

import numpy as np
import pytest

from mmdet2tflite.config.dataset import RotatedDigitsData
from mmdet2tflite.data.digits import classes_of, write_digits
from mmdet2tflite.errors import DataError
from mmdet2tflite.evaluate.analysis import analyse
from mmdet2tflite.evaluate.causes import classify_detections
from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.evaluate.truth import Truth
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.decode.corners import corners_of
from tests.evaluate.oriented_scenes import (
    ACROSS,
    DIAGONAL,
    NOTHING_TURNED,
    oriented_coco,
    quarter_turn,
    random_oriented_scene,
    turned,
)
from tests.evaluate.scenes import CLASSES, A, coco, truth_of

CAT, DOG = 0, 1
FAR = (300, 300, 40, 20, 30)


def causes(truth: Detections, found: Detections, crowds: Detections = NOTHING_TURNED) -> list[str]:
    return classify_detections(truth, crowds, found).causes.tolist()


def along(box, pixels):
    """Moved in the direction of its width, which is that of its angle."""
    x, y, width, height, angle = box
    turn = np.radians(angle)
    return (x + pixels * np.cos(turn), y + pixels * np.sin(turn), width, height, angle)


# --- truth ----------------------------------------------------------------------------------------


def test_boxes_and_crowds_come_from_the_corners_and_images_without_any_are_oriented_too(tmp_path):
    annotations = oriented_coco({1: [(CAT, DIAGONAL)], 2: []}, crowds=[(1, DOG, FAR)])
    truth = truth_of(annotations, tmp_path, oriented=True)
    np.testing.assert_allclose(truth.boxes[1].oriented, [[100, 100, 100, 20, np.pi / 4]], rtol=1e-6)
    np.testing.assert_allclose(truth.crowds[1].oriented, [[300, 300, 40, 20, np.pi / 6]], rtol=1e-6)
    assert truth.crowds[1].labels.tolist() == [DOG]
    # The half diagonal of the upright box: (100 + 20) / 2 / sqrt 2
    half = 60 / 2**0.5
    around = [[100 - half, 100 - half, 100 + half, 100 + half]]
    np.testing.assert_allclose(truth.boxes[1].boxes, around, rtol=1e-6)
    assert truth.areas[1] == [2000]
    assert truth.boxes[2].oriented.shape == truth.crowds[2].oriented.shape == (0, 5)


def test_an_upright_detector_has_to_find_the_upright_box_whatever_outlines_there_are(tmp_path):
    annotations = oriented_coco({1: [(CAT, DIAGONAL)]}, crowds=[(1, CAT, FAR)])
    truth = truth_of(annotations, tmp_path)
    assert truth.boxes[1].oriented is None
    assert truth.crowds[1].oriented is None
    x, y, width, height = annotations["annotations"][0]["bbox"]
    np.testing.assert_allclose(truth.boxes[1].boxes, [[x, y, x + width, y + height]], rtol=1e-6)


def test_an_oriented_detector_needs_four_corners(tmp_path):
    with pytest.raises(DataError, match="annotation 1 of image 1 is no oriented box"):
        truth_of(coco({1: [(CAT, A)]}), tmp_path, oriented=True)


# --- causes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "box", "expected"),
    [
        (CAT, DIAGONAL, "right"),
        (CAT, quarter_turn(DIAGONAL), "right"),
        (CAT, along(DIAGONAL, 33), "right"),  # 67 / 133
        (CAT, along(DIAGONAL, 34), "localisation"),  # 66 / 134
        (CAT, ACROSS, "localisation"),  # 1 / 9
        (CAT, along(DIAGONAL, 90), "background"),  # 10 / 190
        (DOG, along(DIAGONAL, 33), "class"),
        (DOG, ACROSS, "both"),
        (DOG, along(ACROSS, 61), "background"),
    ],
)
def test_a_detection_is_judged_by_the_overlap_of_the_oriented_boxes(label, box, expected):
    assert causes(turned((CAT, DIAGONAL)), turned((label, box))) == [expected]


@pytest.mark.parametrize(("pixels", "expected"), [(49, "ignored"), (51, "background")])
def test_the_share_in_a_crowd_is_that_of_the_oriented_box(pixels, expected):
    crowd = turned((CAT, DIAGONAL))
    assert causes(NOTHING_TURNED, turned((CAT, along(DIAGONAL, pixels))), crowd) == [expected]
    # Most of the upright box around it lies in the crowd's, and a fifth of itself.
    assert causes(NOTHING_TURNED, turned((CAT, ACROSS)), crowd) == ["background"]


# --- analysis -------------------------------------------------------------------------------------


def test_the_confusion_matrix_counts_pairs_of_oriented_boxes(tmp_path):
    annotations = oriented_coco({1: [(CAT, DIAGONAL), (CAT, FAR)], 2: [], 3: [(DOG, FAR)]})
    found = {
        1: turned((CAT, ACROSS), (DOG, quarter_turn(FAR))),
        2: NOTHING_TURNED,
        3: NOTHING_TURNED,
    }
    truth = truth_of(annotations, tmp_path, oriented=True)
    analysis = analyse(annotations, truth, Evaluated(found, {}), CLASSES)
    #                 cat dog owl (not found)
    assert analysis["confusion"] == [
        [0, 1, 0, 1],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
        [1, 0, 0, 0],
    ]
    counts = {cause: error["count"] for cause, error in analysis["errors"].items()}
    assert (counts["class"], counts["localisation"], counts["missed"]) == (1, 1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_without_a_turn_the_analysis_is_that_of_upright_boxes(seed, tmp_path):
    annotations, found = random_oriented_scene(seed, angle=0)
    upright = {image_id: replace(each, oriented=None) for image_id, each in found.items()}
    analyses = [
        analyse(
            annotations,
            truth_of(annotations, tmp_path, oriented=oriented),
            Evaluated(detections, {}),
            CLASSES,
        )
        for oriented, detections in ((True, found), (False, upright))
    ]
    for name in ("boxes", "found", "right", "confusion", "chosen", "curves"):
        assert analyses[0][name] == analyses[1][name]
    assert analyses[0]["found"] > analyses[0]["right"] > 5
    for cause, error in analyses[0]["errors"].items():
        assert error == pytest.approx(analyses[1]["errors"][cause])


def test_the_annotated_boxes_of_a_data_set_are_right_as_detections(tmp_path):
    config = RotatedDigitsData(kind="rotated_digits", train_images=1, val_images=20)
    annotations = write_digits(config, tmp_path)["val"]
    truth = Truth.load(tmp_path / "val.json", tmp_path, oriented=True)
    evaluated = Evaluated(truth.boxes, {})
    analysis = analyse(annotations, truth, evaluated, classes_of(config))
    boxes = len(annotations["annotations"])
    assert (analysis["right"], analysis["found"], analysis["boxes"]) == (boxes, boxes, boxes)
    corners = np.concatenate([corners_of(found.oriented) for found in truth.boxes.values()])
    given = [entry["segmentation"][0] for entry in annotations["annotations"]]
    np.testing.assert_allclose(corners.reshape(-1, 8), given, atol=1e-3)
    # The upright box around the same objects is another detection.
    quarter = {
        image_id: turned(
            *(
                (int(label), (x, y, h, w, np.degrees(angle)))
                for label, (x, y, w, h, angle) in zip(
                    found.labels, found.oriented.tolist(), strict=True
                )
            )
        )
        for image_id, found in truth.boxes.items()
    }
    wrong = analyse(annotations, truth, Evaluated(quarter, {}), classes_of(config))
    assert wrong["right"] < boxes
