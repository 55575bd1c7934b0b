"""YOLO's text files become COCO's boxes; what is wrong with them is named by file and line."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet2tflite.data.yolo import label_file, parse_line
from mmdet2tflite.errors import DataError
from tests.data.conftest import facts

from .conftest import SOUND


def test_normalised_boxes_become_pixels_of_their_image(source, build, contents, store) -> None:
    source.labels["train/b"] = f"{SOUND}\n\n0 0.5 0.5 1 1\n"
    tall = np.zeros((50, 20, 3), np.uint8)
    assert cv2.imwrite(str(source.root / "images/train/b.png"), tall)
    dataset = build()
    assert dataset.classes == ("cat", "dog")
    assert dataset.train.image_root == str(source.root / "images/train")
    train = contents(dataset, "train.json")
    assert [(image["file_name"], image["width"], image["height"]) for image in train["images"]] == [
        ("a.png", 40, 30),
        ("b.png", 20, 50),
    ]
    boxes = train["annotations"]
    assert [(box["id"], box["image_id"], box["category_id"]) for box in boxes] == [
        (1, 1, 1),
        (2, 2, 1),
        (3, 2, 0),
    ]
    expected = [[10, 6, 20, 12], [5, 10, 10, 20], [0, 0, 20, 50]]
    assert np.allclose([box["bbox"] for box in boxes], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("names", [{0: "cat", 1: "dog"}, {1: "dog", 0: "cat"}])
def test_names_may_be_a_mapping_of_ids(names, source, build) -> None:
    source.data["names"] = names
    assert build().classes == ("cat", "dog")


def test_ids_of_a_mapping_may_have_gaps(source, build, contents) -> None:
    source.data["names"] = {7: "cat", 1: "dog"}
    dataset = build()
    assert dataset.classes == ("dog", "cat")
    assert {box["category_id"] for box in contents(dataset, "train.json")["annotations"]} == {0}


def test_a_split_may_be_a_list_whose_lines_start_at_its_folder(source, build, contents) -> None:
    (source.root / "lists").mkdir()
    (source.root / "lists/train.txt").write_text("../images/train/b.png\n\n../images/val/c.png\n")
    source.data["train"] = "lists/train.txt"
    train = contents(build(), "train.json")
    assert [image["file_name"] for image in train["images"]] == ["train/b.png", "val/c.png"]


def test_a_split_may_be_several_folders(source, build, contents) -> None:
    source.data["train"] = ["images/val", "images/train"]
    train = contents(build(), "train.json")
    files = [image["file_name"] for image in train["images"]]
    assert files == ["val/c.png", "train/a.png", "train/b.png"]
    assert [box["image_id"] for box in train["annotations"]] == [1, 2, 3]


def test_images_of_a_folder_are_taken_at_any_depth_and_nothing_else(source, build) -> None:
    (source.root / "images/notes.txt").write_text("no image")
    source.data["train"] = "images"
    assert build().train.images == 3


def test_splits_are_relative_to_path_and_that_to_the_yaml(source, build) -> None:
    source.data |= {"path": "images", "train": "train", "val": "val"}
    assert build().train.images == 2


def test_path_may_be_absolute(source, build, tmp_path) -> None:
    source.data["path"] = str(source.root)
    (tmp_path / "elsewhere").mkdir()
    source.save()
    yaml_file = (source.root / "data.yaml").rename(tmp_path / "elsewhere/data.yaml")
    with pytest.raises(DataError, match=r"(?s)2 outside_folder.*allowed_folders"):
        build(data=yaml_file)
    assert build(data=yaml_file, allowed_folders=[source.root]).train.images == 2


def test_an_export_written_for_the_folder_beside_it_is_found(source, build) -> None:
    source.data |= {"train": "../images/train", "val": "../images/val"}
    assert build().train.image_root == str(source.root / "images/train")


def test_dots_that_lead_to_images_are_kept(source, build) -> None:
    (source.root / "yaml/images/train").mkdir(parents=True)  # would be taken without the dots
    source.data |= {"train": "../images/train", "val": "../images/val"}
    source.save()
    yaml_file = (source.root / "data.yaml").rename(source.root / "yaml/data.yaml")
    assert build(data=yaml_file, allowed_folders=[source.root]).train.images == 2


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("/d/images/train/a.jpg", "/d/labels/train/a.txt"),
        ("/images/d/images/a.b.JPG", "/images/d/labels/a.b.txt"),
        ("/d/images.old/a.jpg", "/d/images.old/a.txt"),
        ("/d/a.jpg", "/d/a.txt"),
    ],
)
def test_labels_lie_beside_the_folder_images_or_beside_the_image(image, labels) -> None:
    assert label_file(Path(image)) == Path(labels)


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("3 0.5 0.5 0.5 0.25", (3, (0.25, 0.375, 0.5, 0.25))),
        ("3.0 5e-1 0.5 0.5 0.25", (3, (0.25, 0.375, 0.5, 0.25))),
        ("0 0.5 0.25 0.75 0.5 0.25 1", (0, (0.25, 0.25, 0.5, 0.75))),
        ("0 0 0 0.5 0 0.5 0.25 0 0.25", (0, (0, 0, 0.5, 0.25))),
        ("-1 0.5 0.5 0 0.25", (-1, (0.5, 0.375, 0, 0.25))),
        ("0 1.25 0.5 1 1", (0, (0.75, 0, 1, 1))),
    ],
    ids=["box", "floats", "triangle", "quadrangle", "class and area are checked later", "overhang"],
)
def test_a_line_is_a_box_or_an_outline(line, label) -> None:
    assert parse_line(line) == label


@pytest.mark.parametrize("line", ["0 nan 0.5 0.5 0.5", "0 0.1 0.1 0.2 nan 0.3 0.1", "0 inf 1 1 1"])
def test_a_box_or_outline_that_is_not_finite_stays_so(line) -> None:
    assert not all(map(math.isfinite, parse_line(line)[1]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.5", "4 columns"),
        ("0 0.5 0.5 0.5 0.5 0.9", "6 columns"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "8 columns"),
        ("0 0.5 0.5 0.5 x", "is not made of numbers"),
        ("cat 0.5 0.5 0.5 0.5", "is not made of numbers"),
        ("0,0.5,0.5,0.5,0.5", "is not made of numbers"),
        ("0.5 0.5 0.5 0.5 0.5", "the class is 0.5, no whole number"),
        ("nan 0.5 0.5 0.5 0.5", "the class is nan, no whole number"),
        ("0 20 12 20 12", "pixels?"),
        ("0 0.5 0.5 0.5 -3", "pixels?"),
    ],
)
def test_a_line_of_another_form_is_reported_with_its_number(line, message, source, refuse) -> None:
    source.labels["train/b"] = f"{SOUND}\n{line}\n"
    (problem,) = refuse()
    assert facts([problem]) == [("not_yolo", "train", "b.txt, line 2", None)]
    assert message in problem.message


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("zero_area", "0 0.5 0.5 0 0.5"),
        ("zero_area", "0 0.5 0.5 0.5 -0.1"),
        ("outside", "0 0.9 0.5 0.3 0.5"),
        ("non_finite", "0 nan 0.5 0.5 0.5"),
        ("unknown_category", "2 0.5 0.5 0.5 0.5"),
        ("unknown_category", "-1 0.5 0.5 0.5 0.5"),
    ],
)
def test_problems_of_a_box_are_reported_with_its_line_and_mended(
    kind, line, source, build, refuse
) -> None:
    source.labels["val/c"] = f"\n{SOUND}\n{line}\n"
    assert facts(refuse()) == [(kind, "val", "c.txt, line 3", None)]
    assert build(fix=[kind]).val.boxes == (2 if kind == "outside" else 1)


def test_a_clipped_box_ends_at_the_image(source, build, contents) -> None:
    source.labels["val/c"] = "0 0.75 0.5 1 0.5\n"
    (box,) = contents(build(fix=["outside"]), "val.json")["annotations"]
    assert box["bbox"] == [10, 7.5, 30, 15]


def test_an_image_without_labels_shows_no_object_and_is_warned_of(source, build, contents) -> None:
    del source.labels["train/b"]
    (source.root / "labels/train/b.txt").unlink()
    dataset = build()
    assert (dataset.train.images, dataset.train.boxes) == (2, 1)
    (problem,) = contents(dataset, "log/problems.json")
    assert (problem["kind"], problem["file"]) == ("no_label", "b.png")
    assert str(source.root / "labels/train/b.txt") in problem["message"]


def test_an_empty_label_file_is_an_image_without_objects(source, build) -> None:
    source.labels["train/b"] = ""
    dataset = build()
    assert (dataset.train.images, dataset.train.boxes) == (2, 1)
    assert not [name for name in dataset.metrics if name.startswith("problems.")]


def test_a_split_without_any_labels_is_refused_with_the_place_looked_at(source, refuse) -> None:
    (source.root / "labels").rename(source.root / "label")
    source.labels = {}
    problems = [problem for problem in refuse() if problem.kind != "no_label"]
    assert facts(problems) == [
        ("missing_annotations", "train", "labels", None),
        ("missing_annotations", "val", "labels", None),
    ]
    assert str(source.root / "labels/train/a.txt") in problems[0].message
