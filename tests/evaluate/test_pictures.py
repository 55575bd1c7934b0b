import cv2
import numpy as np
import pytest

from mmdet2tflite.config.dataset import RotatedDigitsData
from mmdet2tflite.data.digits import compose_scene, render, split_glyphs
from mmdet2tflite.errors import DataError
from mmdet2tflite.evaluate.causes import classify_detections
from mmdet2tflite.evaluate.image_score import score_image
from mmdet2tflite.evaluate.pictures import (
    BAR,
    CELL_WIDTH,
    GAP,
    cell,
    draw,
    draw_comparison,
    highest,
)
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.decode.corners import boxes_of, corners_of, upright

GREY = 127


def found(*boxes: tuple[float, float, float, float], score: float) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), score, np.float32),
        np.zeros(len(boxes), np.int64),
    )


def turned(*boxes: tuple[float, float, float, float, float], score: float) -> Detections:
    """From x and y of the centre, width, height, and the angle in degrees."""
    oriented = np.array(boxes, np.float32).reshape(-1, 5)
    oriented[:, 4] = np.radians(oriented[:, 4])
    upright_ones = found(*map(tuple, upright(oriented)), score=score)
    return Detections(
        upright_ones.boxes, upright_ones.scores, upright_ones.labels, oriented=oriented
    )


def drawn(folder, truth: Detections, answers: Detections):
    """The left and the right side of a comparison, and how much larger than the image they are."""
    file = folder / "a.png"
    cv2.imwrite(str(file), np.full((40, 60, 3), GREY, np.uint8))
    crowds = truth[:0]
    scores = {7: score_image(truth, answers, classify_detections(truth, crowds, answers))}
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


THREE_FOUR = float(np.degrees(np.arctan2(3, 4)))
"""An angle whose cosine is 0.8 and whose sine 0.6."""


def along(start: tuple[float, float], end: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels of a side, but for its ends."""
    points = np.linspace(start, end, 50)[5:-5]
    return points[:, 1].astype(int), points[:, 0].astype(int)


def test_an_oriented_box_is_drawn_along_its_sides_and_not_along_the_box_around_it():
    blank = np.full((200, 200, 3), GREY, np.uint8)
    picture = draw(blank, turned((100, 100, 100, 50, THREE_FOUR), score=1), ["cat"])
    # Half of the sides are 50 · (0.8, 0.6) = (40, 30) and 25 · (-0.6, 0.8) = (-15, 20).
    corners = [(75, 50), (155, 110), (125, 150), (45, 90)]
    (colour,) = {tuple(pixel) for pixel in picture[along(corners[2], corners[3])].tolist()}
    assert colour != (GREY, GREY, GREY)
    for start, end in zip(corners, [*corners[1:], corners[0]], strict=True):
        assert (picture[along(start, end)] == colour).all()
    assert (picture[100, 65:135] == GREY).all()  # nothing inside of it
    for side in (picture[148:152, 46:110], picture[120:152, 44:48], picture[50:90, 150:]):
        assert (side == GREY).all()


def test_an_oriented_box_has_the_colour_of_an_upright_one_of_its_class():
    blank = np.full((200, 200, 3), GREY, np.uint8)
    one = draw(blank, turned((100, 100, 60, 40, 0), score=1), ["cat"])
    other = draw(blank, found((70, 80, 130, 120), score=1), ["cat"])
    # One line is an open polygon of OpenCV's, the other a rectangle: their corners differ.
    assert (one[110] == other[110]).all()
    assert (one[119, 72:128] == other[119, 72:128]).all()
    assert (one[40:80] == other[40:80]).all()  # the label


def test_a_label_stands_on_the_highest_corner_and_hides_nothing_of_the_box():
    box = turned((100, 100, 100, 50, THREE_FOUR), score=0.5)
    assert np.allclose(highest(box.corners), [[75, 50]], atol=1e-5)
    picture = draw(np.full((200, 200, 3), GREY, np.uint8), box, ["cat"])
    rows, columns = np.nonzero((picture != GREY).any(axis=2) & (picture.min(axis=2) > 200))
    assert rows.size  # letters, white
    assert rows.max() < 50
    assert columns.min() >= 75


@pytest.mark.parametrize("quarter", [0, 90, 180, 270])
def test_of_an_upright_rectangle_the_highest_corner_is_the_upper_left(quarter):
    width, height = (60, 40) if quarter % 180 == 0 else (40, 60)
    box = turned((100, 100, width, height, quarter), score=1)
    assert np.allclose(highest(box.corners), [[70, 80]], atol=1e-4)


def test_the_part_of_an_oriented_box_that_lies_beyond_the_picture_is_cut_off_at_its_border():
    blank = np.full((100, 100, 3), GREY, np.uint8)
    # A square of which a corner, (80, 50), is inside: its sides leave the picture at y = 30 and 70.
    picture = draw(blank, turned((130, 50, 50 * 2**0.5, 50 * 2**0.5, 45), score=1), [""])
    inked = (picture != GREY).any(axis=2)
    assert inked[34:66, -1].all()
    assert not inked[75:, -1].any()
    assert inked[along((80, 50), (98, 68))].all()
    assert not inked[:, :78].any()
    assert (blank == GREY).all()


@pytest.mark.parametrize("size", [1e3, 1e12])
def test_an_oriented_box_of_any_size_around_the_picture_is_drawn_at_its_border(size):
    blank = np.full((60, 80, 3), GREY, np.uint8)
    picture = draw(blank, turned((40, 30, size, size, 30), score=1), ["cat"])
    inked = (picture != GREY).any(axis=2)
    assert [edge.all() for edge in (inked[0], inked[-1], inked[:, 0], inked[:, -1])] == [True] * 4


def test_an_oriented_box_beyond_the_picture_is_a_point_of_its_border():
    blank = np.full((100, 200, 3), GREY, np.uint8)
    picture = draw(blank, turned((1e9, 80, 20, 20, 45), score=1), [""])
    rows, columns = np.nonzero((picture != GREY).any(axis=2)[79:])
    assert columns.min() > 190
    assert rows.max() < 5
    assert (draw(blank, turned(score=1), ["cat"]) == GREY).all()


def test_in_a_cell_an_oriented_box_is_scaled_and_keeps_its_angle():
    small = np.full((40, 48, 3), GREY, np.uint8)
    scaled = cell(small, turned((24, 20, 20, 10, THREE_FOUR), score=1), ["cat"], "")[BAR:]
    large = np.full((400, CELL_WIDTH, 3), GREY, np.uint8)
    assert (scaled == draw(large, turned((240, 200, 200, 100, THREE_FOUR), score=1), ["cat"])).all()


def test_in_a_comparison_truth_and_detections_are_turned_as_they_are(tmp_path):
    left, right, scale = drawn(
        tmp_path, turned((30, 20, 20, 10, 45), score=1), turned((30, 20, 20, 10, -45), score=0.9)
    )
    sides = [
        along(*(corners_of(np.array([[30, 20, 20, 10, np.radians(angle)]]))[0, 1:3] * scale))
        for angle in (45, -45)
    ]
    inked = [
        [bool((scene[side] != GREY).any(axis=1).all()) for side in sides] for scene in (left, right)
    ]
    assert inked == [[True, False], [False, True]]


@pytest.mark.parametrize("index", range(4))
def test_the_boxes_of_a_scene_stand_around_its_digits(index):
    """Every pixel that a digit changes is within the outline that is drawn for it, or under it."""
    config = RotatedDigitsData(kind="rotated_digits")
    scene = compose_scene(config, split_glyphs(0)["train"], "train", index)
    empty = render(scene.background, [])
    blank = np.zeros_like(empty)
    for digit in scene.digits:
        oriented = boxes_of(np.array(digit.corners).reshape(1, 4, 2)).astype(np.float32)
        truth = Detections(
            upright(oriented), np.ones(1, np.float32), np.array([0]), oriented=oriented
        )
        outline = draw(blank, truth, [""]).any(axis=2)
        middle = tuple(int(value) for value in oriented[0, :2])
        filled = outline.astype(np.uint8)
        cv2.floodFill(filled, None, middle, 1)
        changed = (render(scene.background, [digit]) != empty).any(axis=2)
        assert not (changed & (filled == 0)).any()
        assert filled.sum() < digit.area + 4 * (oriented[0, 2] + oriented[0, 3]) + 100
