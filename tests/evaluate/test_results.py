import json

import numpy as np

from mmdet2tflite.evaluate.results import DETECTIONS, Evaluated, to_results
from mmdet2tflite.runtime.decode import Detections

FOUND = Detections(
    np.array([[1, 2, 4, 8], [0.1, 0.2, 1e3, 0.3]], np.float32),
    np.array([0.5, 0.25], np.float32),
    np.array([3, 0]),
)
NOTHING = Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64))


def test_a_detection_is_a_coco_result_with_width_and_height():
    assert to_results(7, FOUND)[0] == {
        "image_id": 7,
        "category_id": 3,
        "bbox": [1, 2, 3, 6],
        "score": 0.5,
    }


def test_what_was_saved_is_loaded_to_the_last_bit(tmp_path):
    outputs = {"cls_8": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2) / 3}
    Evaluated({9: NOTHING, 7: FOUND}, outputs).save(tmp_path)
    loaded = Evaluated.load(tmp_path)

    assert list(loaded.detections) == [9, 7]
    assert len(loaded.detections[9]) == 0
    np.testing.assert_array_equal(loaded.detections[7].boxes, FOUND.boxes)
    np.testing.assert_array_equal(loaded.detections[7].scores, FOUND.scores)
    np.testing.assert_array_equal(loaded.detections[7].labels, FOUND.labels)
    assert loaded.outputs.keys() == outputs.keys()
    np.testing.assert_array_equal(loaded.outputs["cls_8"], outputs["cls_8"])


def test_the_file_of_detections_is_what_coco_tools_read(tmp_path):
    Evaluated({7: FOUND}, {"a": np.zeros((1, 1, 1, 1), np.float32)}).save(tmp_path)
    assert json.loads((tmp_path / DETECTIONS).read_text()) == to_results(7, FOUND)


def test_the_same_answers_give_the_same_files(tmp_path):
    outputs = {"cls_8": np.ones((1, 3, 2, 2), np.float32)}
    for name in "ab":
        (tmp_path / name).mkdir()
        Evaluated({7: FOUND}, outputs).save(tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
