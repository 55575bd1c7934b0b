import cv2
import numpy as np
import pytest

from mmdet2tflite.errors import DataError
from mmdet2tflite.evaluate.causes import classify_detections
from mmdet2tflite.evaluate.image_score import score_image
from mmdet2tflite.evaluate.pictures import BAR, CELL_WIDTH, GAP, draw, draw_comparison
from mmdet2tflite.runtime.decode import Detections

GREY = 127


def found(*boxes: tuple[float, float, float, float], score: float) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), score, np.float32),
        np.zeros(len(boxes), np.int64),
    )


def drawn(folder, truth: Detections, answers: Detections):
    """The left and the right side of a comparison, and how much larger than the image they are."""
    file = folder / "a.png"
    cv2.imwrite(str(file), np.full((40, 60, 3), GREY, np.uint8))
    nothing = found(score=1)
    scores = {7: score_image(truth, answers, classify_detections(truth, nothing, answers))}
    picture = draw_comparison([("best", 7)], {7: file}, scores, ["cat"])
    scale = CELL_WIDTH / 60
    assert picture.shape == (BAR + 40 * scale + GAP, 2 * (CELL_WIDTH + GAP), 3)
    scenes = picture[BAR:-GAP]
    return scenes[:, :CELL_WIDTH], scenes[:, CELL_WIDTH + GAP : -GAP], scale


def test_ground_truth_is_drawn_on_the_left_and_what_was_found_on_the_right(tmp_path):
    left, right, scale = drawn(tmp_path, found((30, 20, 42, 32), score=1), found(score=0.9))
    changed = np.argwhere((left != GREY).any(axis=2))
    assert np.allclose(changed.max(axis=0), np.array([32, 42]) * scale, atol=3)  # bottom right
    assert (right == GREY).all()


def test_detections_below_the_shown_score_are_left_out(tmp_path):
    nothing = found(score=1)
    _, weak, _ = drawn(tmp_path, nothing, found((5, 5, 20, 20), score=0.29))
    _, strong, _ = drawn(tmp_path, nothing, found((5, 5, 20, 20), score=0.3))
    assert (weak == GREY).all()
    assert not (strong == GREY).all()


def test_a_missed_box_and_a_wrong_detection_say_so(tmp_path):
    box, far = (20, 20, 22, 30), (20, 2, 22, 12)
    right = drawn(tmp_path, found(box, score=1), found(box, score=0.5))
    wrong = drawn(tmp_path, found(box, score=1), found(far, score=0.5))
    for side in (0, 1):  # a label is as wide as its text
        widths = [np.ptp(np.argwhere((s[side] != GREY).any(axis=2))[:, 1]) for s in (right, wrong)]
        assert widths[1] > widths[0] + 30


def test_an_image_that_is_gone_is_not_drawn(tmp_path):
    nothing = found(score=1)
    scores = {7: score_image(nothing, nothing, classify_detections(nothing, nothing, nothing))}
    with pytest.raises(DataError, match="cannot be read"):
        draw_comparison([("best", 7)], {7: tmp_path / "none.png"}, scores, ["cat"])


def test_the_part_of_a_box_that_lies_beyond_the_picture_is_drawn_at_its_border():
    blank = np.full((60, 80, 3), GREY, np.uint8)
    picture = draw(blank, found((-1e12, -3, 1e12, 1e12), score=1), ["cat"])
    drawn = (picture != GREY).any(axis=2)
    assert [edge.all() for edge in (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1])] == [True] * 4
    assert (blank == GREY).all()


def test_a_label_is_readable_where_its_box_touches_the_upper_border():
    blank = np.full((200, 300, 3), GREY, np.uint8)
    letters = [  # white, on the box's colour
        (draw(blank, found((100, top, 160, 160), score=0.5), ["cat"]).min(axis=2) > 200).sum()
        for top in (0, 100)
    ]
    assert letters[0] == letters[1] > 0
