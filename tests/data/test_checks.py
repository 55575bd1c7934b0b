"""Each problem of files, classes and ids is found with its file and id; mends do what they say."""

import time
from typing import get_args

import cv2
import numpy as np
import pytest

from mmdet2tflite.config.names import Fix
from mmdet2tflite.data import checks
from mmdet2tflite.data.checks import look_at_pictures
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.errors import DataError
from mmdet2tflite.stage import Job

from .conftest import HEIGHT, WIDTH, add_box, facts


def test_a_missing_annotation_file_is_reported(source, store) -> None:
    (source.root / "val.json").unlink()
    with pytest.raises(DataError, match=r"missing_annotations: val: val\.json: "):
        DATASET.build(store, source.config(), timeout=60)


@pytest.mark.parametrize("text", ["", "{", "{'images': []}", '{"images": [1,]}'])
def test_text_that_is_not_json_is_reported(text, source, store) -> None:
    (source.root / "train.json").write_text(text)
    with pytest.raises(DataError, match=r"corrupt_json: train: train\.json: "):
        DATASET.build(store, source.config(), timeout=60)


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_a_json_without_one_of_the_three_lists_is_not_coco(key, source, refuse) -> None:
    del source.train[key]
    (problem,) = refuse()
    assert facts([problem]) == [("not_coco", "train", "train.json", None)]
    assert key in problem.message


def test_a_list_is_not_coco(source, refuse) -> None:
    source.train = [1, 2]
    assert facts(refuse()) == [("not_coco", "train", "train.json", None)]


@pytest.mark.parametrize("box", [[1, 2, 3], None, ["a", 1, 2, 3]])
def test_an_entry_of_the_wrong_form_is_named_by_its_place(box, source, refuse) -> None:
    source.train["annotations"][1]["bbox"] = box
    problems = refuse()
    assert {problem.kind for problem in problems} == {"not_coco"}
    assert all(problem.message.startswith("annotations.1.bbox") for problem in problems)


def test_a_missing_image_is_reported_with_its_id(source, refuse) -> None:
    (source.root / "images/b.png").unlink()
    assert facts(refuse()) == [("missing_file", "train", "b.png", 2)]


def test_a_missing_image_is_left_out_with_its_boxes(source, build, contents) -> None:
    (source.root / "images/b.png").unlink()
    train = contents(build(fix=["missing_file"]), "train.json")
    assert [image["id"] for image in train["images"]] == [1]
    assert [box["image_id"] for box in train["annotations"]] == [1]


@pytest.mark.parametrize("damage", ["empty", "truncated", "text"])
def test_an_image_that_does_not_decode_is_reported(damage, source, refuse) -> None:
    path = source.root / "images/b.png"
    content = path.read_bytes()
    path.write_bytes({"empty": b"", "truncated": content[:-20], "text": b"no image"}[damage])
    assert facts(refuse()) == [("undecodable", "train", "b.png", 2)]


def test_a_truncated_jpeg_does_not_decode(tmp_path, store) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    content = cv2.imencode(".jpg", noise)[1].tobytes()
    (tmp_path / "whole.jpg").write_bytes(content)
    (tmp_path / "half.jpg").write_bytes(content[: len(content) // 2])
    paths = [tmp_path / "whole.jpg", tmp_path / "half.jpg"]
    whole, half = look_at_pictures(paths, [tmp_path], Job(store, tmp_path, timeout=60))
    assert (whole.flaw, whole.size) == (None, (64, 64))
    assert half.flaw == "undecodable"


def test_an_image_that_does_not_decode_is_left_out_with_its_boxes(source, build, contents) -> None:
    (source.root / "images/b.png").write_bytes(b"")
    train = contents(build(fix=["undecodable"]), "train.json")
    assert [image["id"] for image in train["images"]] == [1]
    assert [box["image_id"] for box in train["annotations"]] == [1]


def test_boxes_of_an_image_that_is_left_out_are_no_problem(source, build) -> None:
    (source.root / "images/b.png").unlink()
    add_box(source, image_id=2, bbox=[0, 0, 0, 0])
    assert build(fix=["missing_file"]).train.boxes == 1


def test_a_size_that_is_not_the_files_is_reported(source, refuse) -> None:
    source.train["images"][0]["width"] = WIDTH + 1
    (problem,) = refuse()
    assert facts([problem]) == [("size", "train", "a.png", 1)]
    assert "41x30" in problem.message
    assert "40x30" in problem.message


def test_swapped_sides_point_at_the_exif_orientation(source, refuse) -> None:
    source.train["images"][0] |= {"width": HEIGHT, "height": WIDTH}
    (problem,) = refuse()
    assert "EXIF" in problem.message


def test_a_wrong_or_absent_size_is_taken_from_the_file(source, build, contents) -> None:
    source.train["images"][0]["width"] = WIDTH + 1
    del source.train["images"][1]["height"]
    train = contents(build(fix=["size"]), "train.json")
    assert [(image["width"], image["height"]) for image in train["images"]] == [(40, 30)] * 2


def test_images_that_take_too_long_stop_the_run(tmp_path, store, monkeypatch) -> None:
    monkeypatch.setattr(checks, "_look_at", lambda path, allowed: time.sleep(0.5))
    with pytest.raises(DataError, match=r"longer than 0\.05 s"):
        look_at_pictures([tmp_path], [tmp_path], Job(store, tmp_path, timeout=0.05))


def test_progress_counts_the_images_read(source, store, tmp_path) -> None:
    heard = []
    paths = [source.root / "images" / name for name in ("a.png", "b.png")]
    look_at_pictures(paths, [tmp_path], Job(store, tmp_path, 60, heard.append))
    assert [(message["completed"], message["total"]) for message in heard] == [(1, 2), (2, 2)]


def test_a_box_of_an_unknown_category_is_reported_with_its_id(source, refuse) -> None:
    add_box(source, category_id=99)
    assert facts(refuse()) == [("unknown_category", "train", "a.png", 9)]


def test_a_validation_category_that_training_lacks_is_reported_with_the_nearest(
    source, refuse
) -> None:
    source.val["categories"][0]["name"] = "cats"
    problems = refuse()
    assert facts(problems)[0] == ("unknown_category", "val", "categories", 7)
    assert (
        problems[0].message == "'cats' is no category of the training split; the nearest is 'cat'"
    )


def test_validation_boxes_are_matched_by_the_name_of_their_category(
    source, build, contents
) -> None:
    source.val["categories"] = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    source.val["annotations"][0]["category_id"] = 2
    dataset = build()
    assert dataset.classes == ("dog", "cat")
    assert contents(dataset, "val.json")["annotations"][0]["category_id"] == 1


def test_a_configured_class_that_does_not_exist_is_reported_with_the_nearest(refuse) -> None:
    problems = [p for p in refuse(classes=["cat", "dgo"]) if p.kind == "unknown_class"]
    assert facts(problems) == [("unknown_class", "train", "dataset.classes", None)]
    assert problems[0].message == "there is no category 'dgo'; the nearest is 'dog'"


def test_a_class_that_is_configured_twice_is_reported(refuse) -> None:
    assert facts(refuse(classes=["cat", "dog", "cat"])) == [
        ("duplicate_class", "train", "dataset.classes", None)
    ]


def test_a_class_that_the_config_leaves_out_is_warned_of_with_the_nearest(
    source, build, contents
) -> None:
    source.train["categories"][1]["name"] = source.val["categories"][1]["name"] = "caat"
    (problem,) = contents(build(classes=["cat"]), "log/problems.json")
    assert (problem["kind"], problem["split"], problem["id"]) == ("other_class", "train", 3)
    assert problem["message"].startswith("'caat' is not in dataset.classes")
    assert problem["message"].endswith("; the nearest is 'cat'")


def test_a_size_that_is_not_given_is_taken_from_the_file(source, build, contents) -> None:
    del source.train["images"][0]["width"], source.train["images"][0]["height"]
    train = contents(build(), "train.json")
    assert (train["images"][0]["width"], train["images"][0]["height"]) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("change", [{"id": 3}, {"name": "dog"}])
def test_two_categories_of_the_same_id_or_name_are_reported(change, source, refuse) -> None:
    source.train["categories"].append({"id": 11, "name": "owl"} | change)
    assert facts(refuse()) == [("duplicate_class", "train", "categories", None)]


def test_a_box_of_an_unknown_image_is_reported_with_its_id(source, refuse) -> None:
    add_box(source, image_id=99)
    assert facts(refuse()) == [("unknown_image", "train", "annotations", 9)]


def test_an_annotation_id_that_is_there_twice_is_reported(source, refuse) -> None:
    add_box(source, id=2)
    assert facts(refuse()) == [("duplicate_id", "train", "a.png", 2)]


def test_annotations_of_the_same_id_are_renumbered(source, build, contents) -> None:
    add_box(source, id=2)
    boxes = contents(build(fix=["duplicate_id"]), "train.json")["annotations"]
    assert [(box["id"], box["image_id"]) for box in boxes] == [(1, 1), (2, 2), (3, 1)]


def test_an_image_that_is_listed_twice_counts_once(source, build, refuse) -> None:
    source.train["images"].append(source.train["images"][0])
    assert facts(refuse()) == [("duplicate_id", "train", "a.png", 1)]
    assert build(fix=["duplicate_id"]).train.images == 2


def test_two_images_of_the_same_id_cannot_be_mended(source, refuse) -> None:
    source.train["images"][1]["id"] = 1
    problems = refuse(fix=get_args(Fix))
    assert ("ambiguous_id", "train", "b.png", 1) in facts(problems)


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_without_images_is_empty(split, source, refuse) -> None:
    getattr(source, split).update(images=[], annotations=[])
    assert facts(refuse()) == [("empty", split, "images", None)]


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_without_boxes_is_empty(split, source, refuse) -> None:
    getattr(source, split)["annotations"] = []
    assert facts(refuse()) == [("empty", split, "annotations", None)]


def test_a_split_of_nothing_but_crowds_is_empty(source, refuse) -> None:
    source.val["annotations"][0]["iscrowd"] = 1
    assert facts(refuse()) == [("empty", "val", "annotations", None)]


def test_a_split_that_is_empty_after_mending_is_empty(source, refuse) -> None:
    (source.root / "images/c.png").unlink()
    problems = refuse(fix=["missing_file"])
    assert [problem.kind for problem in problems] == ["missing_file", "empty"]


def test_a_picture_in_both_splits_is_a_leak_whatever_its_name_and_only_a_warning(
    source, build, contents
) -> None:
    (source.root / "images/c.png").write_bytes((source.root / "images/a.png").read_bytes())
    dataset = build()
    (leak,) = contents(dataset, "log/problems.json")
    assert (leak["kind"], leak["split"], leak["file"], leak["id"]) == ("leak", "val", "c.png", 3)
    assert leak["message"] == "the same picture as a.png of train"
    assert dataset.metrics["problems.leak"] == 1


def test_a_picture_that_is_twice_in_a_split_is_only_a_warning(source, build) -> None:
    (source.root / "images/b.png").write_bytes((source.root / "images/a.png").read_bytes())
    assert build().metrics["problems.duplicate_file"] == 1
