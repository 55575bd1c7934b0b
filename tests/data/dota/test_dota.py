"""DOTA's files become COCO's boxes with corners; what is wrong is named by file and line."""

import numpy as np
import pytest

from mmdet2tflite.data.dota import parse_line
from tests.data.conftest import HEIGHT, WIDTH, facts

from .conftest import DIAMOND, UPRIGHT, a_line


def test_an_object_is_a_box_a_rectangle_and_its_area(dota, build, contents) -> None:
    dota.texts["train/labelTxt/a"] = f"{a_line(DIAMOND, 'plane')}\n\n{a_line()}\n"
    dataset = build()
    assert dataset.classes == ("plane", "ship")
    plane, ship, _ = contents(dataset, "train.json")["annotations"]
    assert plane["bbox"] == [10, 5, 20, 20]
    assert plane["area"] == pytest.approx(200)  # a square of sides 10 √2
    assert set(outline(plane)) == {(20, 5), (30, 15), (20, 25), (10, 15)}
    assert (ship["bbox"], ship["area"]) == ([2, 3, 10, 20], pytest.approx(200))
    assert set(outline(ship)) == {(2, 3), (12, 3), (12, 23), (2, 23)}


def outline(annotation: dict) -> list[tuple[int, ...]]:
    (values,) = annotation["segmentation"]
    corners = np.array(values).reshape(4, 2)
    np.testing.assert_allclose(corners, np.rint(corners), atol=1e-4)
    return [tuple(corner) for corner in np.rint(corners).astype(int).tolist()]


def test_a_quadrangle_stands_for_the_smallest_rectangle_around_it(dota, build, contents) -> None:
    trapezium = (5, 5, 25, 5, 20, 15, 10, 15)
    dota.texts["train/labelTxt/a"] = a_line(trapezium)
    found = contents(build(), "train.json")["annotations"][0]
    assert found["area"] == pytest.approx(200)
    assert set(outline(found)) == {(5, 5), (25, 5), (25, 15), (5, 15)}
    assert found["bbox"] == [5, 5, 20, 10]


def test_images_are_those_that_have_a_text_in_the_order_of_their_names(
    dota, build, contents
) -> None:
    (dota.root / "train/labelTxt/b.txt").unlink()
    del dota.texts["train/labelTxt/b"]
    (image,) = contents(build(), "train.json")["images"]
    assert (image["file_name"], image["width"], image["height"]) == ("a.png", WIDTH, HEIGHT)


def test_a_difficult_object_is_a_crowd(dota, build, contents) -> None:
    dota.texts["val/labelTxt/c"] += (
        a_line(DIAMOND, difficult=1) + "\n" + a_line(DIAMOND, difficult=2)
    )
    dataset = build()
    assert dataset.val.boxes == 1
    crowds = [each["iscrowd"] for each in contents(dataset, "val.json")["annotations"]]
    assert crowds == [0, 1, 1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 2 3 4 5 6 7 8 ship", "9 fields for 10"),
        ("1 2 3 4 5 6 7 ship 0", "9 fields for 10"),
        ("10 10 30 20 0.5 ship 0", "7 fields for 10"),
        ("1 2 3 4 5 6 7 x ship 0", "'1 2 3 4 5 6 7 x' are no numbers"),
        ("1 2 3 4 5 6 7 8 ship no", "difficult is 'no', none of 0, 1, 2"),
        ("1 2 3 4 5 6 7 8 ship 0 0", "11 fields for 10"),
    ],
)
def test_a_line_that_is_none_is_named(line: str, reason: str, dota, refuse) -> None:
    dota.texts["train/labelTxt/b"] += line + "\n"
    (problem,) = refuse()
    assert facts([problem]) == [("not_dota", "train", "b.txt, line 4", None)]
    assert reason in problem.message


def test_headers_are_headers_at_the_beginning_only(dota, refuse) -> None:
    dota.texts["train/labelTxt/b"] += "gsd:0.2\n"
    assert facts(refuse()) == [("not_dota", "train", "b.txt, line 4", None)]


@pytest.mark.parametrize(
    ("corners", "kind", "boxes"),
    [
        ((2, 3, 12, 23, 12, 3, 2, 23), "self_crossing", 3),
        ((2, 3, 12, 23, 2, 23, 12, 3), "self_crossing", 3),
        ((5, 5, 15, 15, 25, 25, 20, 20), "zero_area", 2),
        ((5, 5, 5, 5, 5, 5, 5, 5), "zero_area", 2),
        ((5, 5, "nan", 5, 9, 9, 5, 9), "non_finite", 2),
        ((-8, 3, 12, 3, 12, 23, -8, 23), "outside", 3),
        ((50, 3, 60, 3, 60, 23, 50, 23), "outside", 2),
    ],
)
def test_a_flaw_is_named_and_mended_on_request(corners, kind, boxes, dota, refuse, build) -> None:
    dota.texts["train/labelTxt/b"] += a_line(corners) + "\n"
    assert facts(refuse()) == [(kind, "train", "b.txt, line 4", None)]
    assert build(fix=[kind]).train.boxes == boxes


def test_what_leaves_the_image_ends_at_its_border(dota, build, contents) -> None:
    dota.texts["train/labelTxt/a"] = a_line((-10, 15, 0, 5, 10, 15, 0, 25))
    found = contents(build(fix=["outside"]), "train.json")["annotations"][0]
    assert found["bbox"] == [0, 5, 10, 20]  # the right half of a diamond: a triangle
    assert found["area"] == pytest.approx(200)


def test_a_rounded_corner_may_leave_the_image_by_a_pixel(dota, build, contents) -> None:
    dota.texts["train/labelTxt/a"] = a_line((-1, 3, 12, 3, 12, 31, -1, 31))
    found = contents(build(), "train.json")["annotations"][0]
    assert found["bbox"] == [-1, 3, 13, 28]


def test_a_line_is_its_corners_its_class_and_whether_it_is_difficult() -> None:
    assert parse_line("1.5 2 3e1 4 5 6 7 8 large-vehicle 1") == (
        (1.5, 2, 30, 4, 5, 6, 7, 8),
        "large-vehicle",
        True,
    )
    assert parse_line(a_line()) == (UPRIGHT, "ship", False)
