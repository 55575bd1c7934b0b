"""Pascal VOC's files become COCO's boxes; what is wrong with a box is named by file and object."""

import json
from pathlib import Path

import cv2
import pytest

from mmdet2tflite.config.dataset import CocoData, CocoSplit
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.data.voc import to_bbox
from tests.data.conftest import HEIGHT, WIDTH, facts

from .conftest import an_object, an_xml


def test_images_come_in_the_order_of_the_image_set_and_boxes_in_that_of_the_file(
    voc, build, contents
) -> None:
    voc.xml["a"] = an_xml(an_object("dog", (1, 1, 40, 30)), an_object())
    train = contents(build(), "train.json")
    assert [(image["id"], image["file_name"]) for image in train["images"]] == [
        (1, "b.png"),
        (2, "a.png"),
    ]
    assert [(image["width"], image["height"]) for image in train["images"]] == [(40, 30)] * 2
    boxes = [(box["id"], box["image_id"], box["bbox"]) for box in train["annotations"]]
    assert boxes == [(1, 1, [1, 2, 10, 20]), (2, 2, [0, 0, 40, 30]), (3, 2, [1, 2, 10, 20])]


def test_classes_are_the_names_of_the_training_objects_in_alphabetical_order(
    voc, build, contents
) -> None:
    voc.xml["b"] = an_xml(an_object("zebra"), an_object("ant"))
    dataset = build()
    assert dataset.classes == ("ant", "cat", "zebra")
    train = contents(dataset, "train.json")["annotations"]
    assert [box["category_id"] for box in train] == [2, 0, 1]
    assert [box["category_id"] for box in contents(dataset, "val.json")["annotations"]] == [1]


def test_without_an_image_set_all_xml_files_of_the_folder_are_taken(voc, build, contents) -> None:
    (voc.root / "held out").mkdir()
    (voc.root / "Annotations/c.xml").rename(voc.root / "held out/c.xml")
    del voc.xml["c"]
    dataset = build(train={}, val={"annotations": "held out"})
    files = [image["file_name"] for image in contents(dataset, "train.json")["images"]]
    assert files == ["a.png", "b.png"]
    assert dataset.val.images == 1


def test_the_same_data_in_voc_and_in_coco_are_the_same_data_set(voc, build, store) -> None:
    files = {"train": ["b.png", "a.png"], "val": ["c.png"]}
    for split, names in files.items():
        entries = {
            "images": [
                {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}
                for number, name in enumerate(names, start=1)
            ],
            "annotations": [
                {"id": number, "image_id": number, "category_id": 1, "bbox": [1, 2, 10, 20]}
                for number in range(1, len(names) + 1)
            ],
            "categories": [{"id": 1, "name": "cat"}],
        }
        (voc.root / f"{split}.json").write_text(json.dumps(entries))
    coco = CocoData(
        kind="coco",
        root=voc.root,
        train=CocoSplit(annotations=Path("train.json"), images=Path("JPEGImages")),
        val=CocoSplit(annotations=Path("val.json"), images=Path("JPEGImages")),
    )
    assert build().digest == DATASET.build(store, coco, timeout=60).digest


@pytest.mark.parametrize(
    ("first_pixel", "corners", "bbox"),
    [
        (1, (1, 1, 40, 30), (0, 0, 40, 30)),  # the whole image
        (0, (0, 0, 40, 30), (0, 0, 40, 30)),
        (1, (5, 5, 6, 9), (4, 4, 2, 5)),  # pixels 5 and 6 are two
        (0, (5, 5, 6, 9), (5, 5, 1, 4)),
        (1, (5, 5, 5, 9), (4, 4, 0, 5)),  # a click
        (1, (5, 5, 9, 5), (4, 4, 5, 0)),
        (0, (5, 5, 5, 9), (5, 5, 0, 4)),
        (1, (7, 5, 6, 9), (6, 4, -1, 5)),  # turned
        (0, (7, 9, 6, 5), (7, 9, -1, -4)),
    ],
)
def test_corners_become_a_box_that_starts_at_zero(first_pixel, corners, bbox) -> None:
    assert to_bbox(corners, first_pixel) == bbox


def test_the_first_pixel_of_the_config_is_that_of_the_boxes(build, contents) -> None:
    (box,) = contents(build(first_pixel=0), "val.json")["annotations"]
    assert box["bbox"] == [2, 3, 9, 19]


@pytest.mark.parametrize("corner", [(0, 3), (2, 0), (0.25, 3)])
def test_a_corner_that_counts_from_zero_contradicts_a_first_pixel_of_one(
    corner, voc, build, refuse
) -> None:
    voc.xml["a"] = an_xml(an_object(), an_object(box=(*corner, 11, 22)))
    (problem,) = refuse()
    assert facts([problem]) == [("first_pixel", "train", "a.xml, object 2", None)]
    assert problem.message.endswith("--set dataset.first_pixel=0")
    assert build(first_pixel=0).train.boxes == 3


@pytest.mark.parametrize("first_pixel", [0, 1])
@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 9, 9, 9), (9, 5, 5, 9), (9, 5, 8.5, 9)])
def test_a_box_without_area_is_reported_with_its_object_and_left_out(
    first_pixel, box, voc, build, refuse, contents
) -> None:
    voc.xml["a"] = an_xml(an_object(), an_object(box=box), an_object())
    problems = refuse(first_pixel=first_pixel)
    assert facts(problems) == [("zero_area", "train", "a.xml, object 2", None)]
    dataset = build(first_pixel=first_pixel, fix=["zero_area"])
    assert [box["id"] for box in contents(dataset, "train.json")["annotations"]] == [1, 2, 4]


@pytest.mark.parametrize(
    ("kind", "box"), [("outside", (30, 5, 43, 9)), ("non_finite", ("nan", 5, 9, 9))]
)
def test_other_problems_of_a_box_are_reported_with_its_object(kind, box, voc, refuse) -> None:
    voc.xml["c"] = an_xml(an_object(), an_object(box=box))
    assert facts(refuse()) == [(kind, "val", "c.xml, object 2", None)]


def test_difficult_objects_are_crowds(voc, build, contents) -> None:
    hard, easy = (f"<difficult>{flag}</difficult>" for flag in (1, 0))
    voc.xml["a"] = an_xml(an_object(extra=hard), an_object(extra=easy), an_object())
    dataset = build()
    train = contents(dataset, "train.json")["annotations"]
    assert [box["iscrowd"] for box in train] == [0, 1, 0, 0]
    assert dataset.train.boxes == 3


def test_the_parts_of_an_object_are_no_objects(voc, build, contents) -> None:
    part = f"<part>{an_object('head', (3, 3, 4, 4))[len('<object>') : -len('</object>')]}</part>"
    voc.xml["a"] = an_xml(an_object(extra=part))
    dataset = build()
    assert dataset.classes == ("cat",)
    assert [box["bbox"] for box in contents(dataset, "train.json")["annotations"]] == [
        [1, 2, 10, 20]
    ] * 2


def test_an_image_without_objects_is_kept(voc, build) -> None:
    voc.xml["a"] = an_xml()
    dataset = build()
    assert (dataset.train.images, dataset.train.boxes) == (2, 1)


def test_without_a_size_it_is_taken_from_the_image(voc, build, contents) -> None:
    voc.xml["c"] = an_xml(an_object(), size="")
    (image,) = contents(build(), "val.json")["images"]
    assert (image["width"], image["height"]) == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    "size",
    [
        "<size><width>41</width><height>30</height></size>",
        "<size><width>0</width><height>0</height></size>",
        "<size><width>wide</width><height>30</height></size>",
        "<size><width>40</width></size>",
        "<size/>",
    ],
)
def test_a_size_that_is_not_the_images_is_reported_and_mended(
    size, voc, build, refuse, contents
) -> None:
    voc.xml["c"] = an_xml(an_object(), size=size)
    assert facts(refuse()) == [("size", "val", "c.png", 1)]
    (image,) = contents(build(fix=["size"]), "val.json")["images"]
    assert (image["width"], image["height"]) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".bmp"])
def test_the_image_has_the_name_of_the_xml_whatever_its_suffix(
    suffix, voc, build, contents
) -> None:
    pixels = cv2.imread(str(voc.root / "JPEGImages/c.png"))
    (voc.root / "JPEGImages/c.png").unlink()
    assert cv2.imwrite(str(voc.root / f"JPEGImages/c{suffix}"), pixels)
    voc.xml["c"] = an_xml("<filename>of another machine.jpg</filename>", an_object())
    assert contents(build(), "val.json")["images"][0]["file_name"] == f"c{suffix}"


def test_two_images_of_one_name_are_refused(voc, refuse) -> None:
    (voc.root / "JPEGImages/c.jpg").write_bytes((voc.root / "JPEGImages/c.png").read_bytes())
    (problem,) = refuse()
    assert facts([problem]) == [("ambiguous_image", "val", "c.xml", None)]
    assert problem.message.startswith("c.jpg and c.png have that name")
