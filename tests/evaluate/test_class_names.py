"""Classes of a detector and of a data set are the same if their names are."""

import pytest

from mmdet2tflite.errors import DataError
from mmdet2tflite.evaluate.class_names import label_as


def coco(names: dict[int, str], *boxes: int) -> dict:
    """A COCO json with a box of each category that is named by its id."""
    return {
        "images": [{"id": 1}],
        "categories": [{"id": number, "name": name} for number, name in names.items()],
        "annotations": [
            {"id": i, "category_id": number, "segmentation": [[0] * 8]}
            for i, number in enumerate(boxes, 1)
        ],
    }


def test_category_ids_become_the_detectors_labels_whatever_their_order():
    found = label_as(coco({4: "dog", 7: "cat"}, 4, 7, 4), ("cat", "dog")).annotations
    assert [entry["category_id"] for entry in found["annotations"]] == [1, 0, 1]
    assert found["categories"] == [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]
    assert found["images"] == [{"id": 1}]
    # Corners of oriented boxes stay.
    assert [entry["segmentation"] for entry in found["annotations"]] == [[[0] * 8]] * 3


def test_classes_that_only_the_detector_knows_are_named():
    found = label_as(coco({0: "dog", 1: "cat"}, 0), ("cat", "dog", "cow"))
    assert found.without_boxes == ("cat", "cow")


def test_a_category_without_boxes_needs_no_class():
    found = label_as(coco({0: "animals", 1: "cat"}, 1), ("cat",))
    assert found.annotations["categories"] == [{"id": 0, "name": "cat"}]


def test_without_a_common_class_no_setting_is_advised():
    with pytest.raises(DataError) as refused:
        label_as(coco({0: "x", 1: "y"}, 0, 1), ("cat", "dog"))
    assert refused.value.found == (
        "the data set has boxes of 'x', 'y', which the detector does not know"
    )
    assert refused.value.expected == "classes of the passport: 'cat', 'dog'"
    assert "--set" not in refused.value.remedy
