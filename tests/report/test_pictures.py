import cv2
import numpy as np

from mmdet2tflite.evaluate.decode import Detections
from mmdet2tflite.report.pictures import BAR, CELL_WIDTH, GAP, draw, draw_comparison

GREY = 127


def found(*boxes: tuple[float, float, float, float], score: float) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), score, np.float32),
        np.zeros(len(boxes), np.int64),
    )


def annotated(folder, *boxes: list[float]) -> dict:
    cv2.imwrite(str(folder / "a.png"), np.full((40, 60, 3), GREY, np.uint8))
    return {
        "images": [{"id": 7, "file_name": "a.png"}],
        "annotations": [{"image_id": 7, "category_id": 0, "bbox": box} for box in boxes],
    }


def test_ground_truth_is_drawn_on_the_left_and_what_was_found_on_the_right(tmp_path):
    truth = annotated(tmp_path, [30, 20, 12, 12])
    picture = draw_comparison(truth, tmp_path, {7: found(score=0.9)}, ["cat"])
    scale = CELL_WIDTH / 60
    assert picture.shape == (BAR + 40 * scale, 2 * CELL_WIDTH + GAP, 3)
    left, right = picture[BAR:, :CELL_WIDTH], picture[BAR:, CELL_WIDTH + GAP :]
    drawn = np.argwhere((left != GREY).any(axis=2))
    assert np.allclose(drawn.max(axis=0), np.array([32, 42]) * scale, atol=3)  # bottom right
    assert (right == GREY).all()


def test_detections_below_the_shown_score_are_left_out(tmp_path):
    truth = annotated(tmp_path)
    weak = draw_comparison(truth, tmp_path, {7: found((5, 5, 20, 20), score=0.29)}, ["cat"])
    strong = draw_comparison(truth, tmp_path, {7: found((5, 5, 20, 20), score=0.3)}, ["cat"])
    assert (weak[BAR:, CELL_WIDTH + GAP :] == GREY).all()
    assert not (strong[BAR:, CELL_WIDTH + GAP :] == GREY).all()


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
