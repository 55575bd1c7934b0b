"""Missing and malformed files of a Pascal VOC data set are named; a change makes another key."""

import os
from pathlib import Path

import pytest

from mmdet2tflite.config.dataset import VocData, VocSplit
from mmdet2tflite.data.prepare import DATASET
from tests.data.conftest import facts

from .conftest import an_object, an_xml


def test_a_missing_image_is_reported_and_left_out_with_its_boxes(voc, build, refuse) -> None:
    (voc.root / "JPEGImages/a.png").unlink()
    assert facts(refuse()) == [("missing_file", "train", "a.jpg", 2)]
    dataset = build(fix=["missing_file"])
    assert (dataset.train.images, dataset.train.boxes) == (1, 1)


def test_every_missing_xml_is_named_at_once(voc, refuse) -> None:
    for name in "ac":
        (voc.root / f"Annotations/{name}.xml").unlink()
        del voc.xml[name]
    assert facts(refuse()) == [
        ("missing_annotations", "train", "a.xml", None),
        ("missing_annotations", "val", "c.xml", None),
    ]


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ({"image_set": "ImageSets/Main/trian.txt"}, "trian.txt cannot be read"),
        ({"annotations": "Anotations"}, "Anotations has no XML files"),
    ],
)
def test_a_wrong_path_is_shown(split, expected, refuse) -> None:
    (problem,) = refuse(train=split)
    assert problem.kind == "missing_annotations"
    assert expected in problem.message


def test_an_empty_image_set_is_shown(voc, refuse) -> None:
    (voc.root / "ImageSets/Main/val.txt").write_text("\n")
    assert facts(refuse()) == [("missing_annotations", "val", "val.txt", None)]


def test_malformed_xml_is_reported_with_its_line(voc, refuse) -> None:
    voc.xml["a"] = "<annotation>\n<object>\n</annotation>"
    (problem,) = refuse()
    assert facts([problem]) == [("corrupt_xml", "train", "a.xml", None)]
    assert "line 3" in problem.message


@pytest.mark.parametrize(
    "text", ["", "<annotation>", '<?xml version="1.0" encoding="klingon"?><a/>']
)
def test_what_is_no_xml_is_reported(text, voc, refuse) -> None:
    voc.xml["a"] = text
    assert facts(refuse()) == [("corrupt_xml", "train", "a.xml", None)]


def test_entities_are_not_expanded(voc, refuse) -> None:
    """A file of a stranger must neither fill the memory nor read other files."""
    voc.xml["a"] = '<!DOCTYPE a [<!ENTITY e "ha">]><annotation>&e;</annotation>'
    (problem,) = refuse()
    assert facts([problem]) == [("corrupt_xml", "train", "a.xml", None)]
    assert "entities" in problem.message


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (an_object(name=""), "there is no name"),
        (an_object(name="  "), "there is no name"),
        ("<object><name>cat</name></object>", "there is no bndbox/xmin"),
        (an_object(box=(1, 2, "", 4)), "there is no bndbox/xmax"),
        (an_object(box=(1, "two", 3, 4)), "bndbox/ymin is 'two', no number"),
        (an_object(extra="<difficult>2</difficult>"), "difficult is '2', neither 0 nor 1"),
    ],
)
def test_an_object_of_the_wrong_form_is_reported(broken, message, voc, refuse) -> None:
    voc.xml["a"] = an_xml(an_object(), broken)
    (problem,) = refuse()
    assert facts([problem]) == [("not_voc", "train", "a.xml, object 2", None)]
    assert problem.message == message


def test_xml_of_something_else_is_reported(voc, refuse) -> None:
    voc.xml["a"] = "<svg/>"
    (problem,) = refuse()
    assert facts([problem]) == [("not_voc", "train", "a.xml", None)]
    assert problem.message == "the root is <svg>, not <annotation>"


def test_a_validation_class_that_training_lacks_is_reported_where_it_is_first_named(
    voc, build, refuse
) -> None:
    voc.xml["c"] = an_xml(an_object(), an_object("cta"), an_object("cta"))
    (problem,) = refuse()
    assert facts([problem]) == [("unknown_category", "val", "c.xml, object 2", None)]
    assert problem.message.endswith("; the nearest is 'cat'")
    assert build(fix=["unknown_category"]).val.boxes == 1


def test_a_name_that_the_configured_classes_lack_is_warned_of_where_it_is_first_named(
    voc, build, contents
) -> None:
    voc.xml["a"] = an_xml(an_object(), an_object("Cat"))
    dataset = build(classes=["cat"])
    assert dataset.train.boxes == 2
    (problem,) = contents(dataset, "log/problems.json")
    assert (problem["kind"], problem["file"]) == ("other_class", "a.xml, object 2")


@pytest.mark.parametrize(
    "file", ["Annotations/a.xml", "JPEGImages/a.png", "ImageSets/Main/train.txt"]
)
def test_the_key_follows_the_time_stamp_of_every_file(file, voc) -> None:
    key = DATASET.key(voc.config())
    os.utime(voc.root / file, ns=(1, 1))
    assert DATASET.key(voc.config()) != key


def test_an_image_that_appears_makes_another_key(voc) -> None:
    image = voc.root / "JPEGImages/a.png"
    image.rename(image.with_suffix(".gone"))
    key = DATASET.key(voc.config())
    image.with_suffix(".gone").rename(image)
    assert DATASET.key(voc.config()) != key


def test_a_key_can_be_made_of_missing_files(tmp_path) -> None:
    split = VocSplit(image_set=Path("missing.txt"))
    assert DATASET.key(VocData(kind="voc", root=tmp_path, train=split, val=VocSplit()))
