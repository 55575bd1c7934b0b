import json

import numpy as np

from mmdet2tflite.evaluate.results import DETECTIONS, OUTPUTS, Evaluated, to_results
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.decode.corners import upright

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


def oriented(boxes: np.ndarray) -> Detections:
    given = boxes.astype(np.float32)
    scores = np.linspace(0.1, 0.9, len(given), dtype=np.float32)
    labels = np.arange(len(given)) % 3
    return Detections(upright(given), scores, labels, oriented=given)


def test_oriented_boxes_are_results_with_corners_and_the_upright_box_around_them():
    found = oriented(np.array([[5, 6, 4, 2, np.pi / 2]]))
    (entry,) = to_results(7, found)
    assert entry.keys() == {"image_id", "category_id", "bbox", "score", "segmentation"}
    np.testing.assert_allclose(entry["bbox"], [4, 4, 2, 4], atol=1e-6)
    np.testing.assert_allclose(entry["segmentation"], [[6, 4, 6, 8, 4, 8, 4, 4]], atol=1e-6)


def test_oriented_boxes_are_loaded_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    turn = rng.uniform(-np.pi, np.pi, (500, 1))
    sides = 10 ** rng.uniform(-3, 3, (500, 2))
    boxes = np.hstack([rng.uniform(0, 1e4, (500, 2)), sides, turn])
    flat = np.array([[9, 9, 0, 5, 0.75], [9, 9, 5, 0, -0.75], [3, 4, 7, 7, -1.5]])
    found = {1: oriented(boxes[:250]), 3: oriented(boxes[250:]), 5: oriented(flat)}
    found[4] = oriented(np.empty((0, 5)))
    Evaluated(found, {}).save(tmp_path)
    loaded = Evaluated.load(tmp_path)
    assert loaded.oriented
    assert not loaded.outputs
    for image_id, each in found.items():
        for name in ("oriented", "boxes", "scores", "labels"):
            values = getattr(loaded.detections[image_id], name)
            np.testing.assert_array_equal(values, getattr(each, name))
            assert values.dtype == getattr(each, name).dtype


def test_images_without_detections_keep_their_kind_of_boxes(tmp_path):
    for name, nothing in (("turned", oriented(np.empty((0, 5)))), ("upright", NOTHING)):
        (tmp_path / name).mkdir()
        Evaluated({1: nothing, 2: nothing}, {}).save(tmp_path / name)
        assert json.loads((tmp_path / name / DETECTIONS).read_text()) == []
    loaded = Evaluated.load(tmp_path / "turned")
    assert loaded.oriented
    assert [found.oriented.shape for found in loaded.detections.values()] == [(0, 5), (0, 5)]
    loaded = Evaluated.load(tmp_path / "upright")
    assert not loaded.oriented
    assert [found.oriented for found in loaded.detections.values()] == [None, None]


def test_upright_boxes_leave_no_word_of_oriented_ones(tmp_path):
    Evaluated({7: FOUND}, {"a": np.zeros((1, 1, 1, 1), np.float32)}).save(tmp_path)
    with np.load(tmp_path / OUTPUTS) as arrays:
        assert sorted(arrays) == ["a", "image_ids"]


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
