"""Each problem of a box is found with its id; a mend changes that box and no other."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdet2tflite.data.checks import ROUNDING, Place, _sound_box
from mmdet2tflite.data.coco import Annotation
from mmdet2tflite.data.problems import Findings

from .conftest import HEIGHT, WIDTH, add_box, facts


@pytest.mark.parametrize("box", [[5, 5, 0, 5], [5, 5, 5, 0], [5, 5, -3, 5]])
def test_a_box_of_zero_area_is_reported_with_its_id(box, source, refuse) -> None:
    add_box(source, bbox=box)
    assert facts(refuse()) == [("zero_area", "train", "a.png", 9)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_box_that_is_not_finite_is_reported_with_its_id(value, source, refuse) -> None:
    add_box(source, bbox=[5, 5, value, 5])
    assert facts(refuse()) == [("non_finite", "train", "a.png", 9)]


@pytest.mark.parametrize(
    "box", [[-1.5, 5, 9, 9], [5, -1.5, 9, 9], [35, 5, 6.5, 9], [5, 25, 9, 6.5], [50, 5, 9, 9]]
)
def test_a_box_that_leaves_the_image_by_more_than_a_pixel_is_reported(box, source, refuse) -> None:
    add_box(source, bbox=box)
    assert facts(refuse()) == [("outside", "train", "a.png", 9)]


@pytest.mark.parametrize("box", [[-1, 5, 9, 9], [5, -1, 9, 9], [35, 5, 6, 9], [5, 25, 9, 6]])
def test_a_box_that_leaves_the_image_by_a_pixel_is_kept_as_it_is(
    box, source, build, contents
) -> None:
    add_box(source, bbox=box)
    assert contents(build(), "train.json")["annotations"][-1]["bbox"] == box


def test_a_box_within_a_pixel_of_the_edge_but_wholly_outside_is_reported(source, refuse) -> None:
    add_box(source, bbox=[WIDTH, 5, 0.5, 9])
    assert facts(refuse()) == [("outside", "train", "a.png", 9)]


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ([-5, 5, 10, 10], [0, 5, 5, 10]),
        ([30, 20, 20, 20], [30, 20, 10, 10]),
        ([-5, -5, 100, 100], [0, 0, 40, 30]),
    ],
)
def test_a_box_that_leaves_the_image_is_clipped(box, clipped, source, build, contents) -> None:
    add_box(source, bbox=box, area=box[2] * box[3])
    mended = contents(build(fix=["outside"]), "train.json")["annotations"][-1]
    assert mended["bbox"] == clipped
    assert mended["area"] == clipped[2] * clipped[3]


finite = st.floats(-1e6, 1e6)


@given(finite, finite, finite, finite)
def test_what_is_left_of_a_finite_box_is_inside_the_image_and_the_box(x, y, w, h) -> None:
    findings = Findings("train")
    box = Annotation(id=1, image_id=1, category_id=0, bbox=(x, y, w, h))
    mended = _sound_box(box, Place("a.png", 1), (WIDTH, HEIGHT), findings)
    if not findings.problems:
        assert mended == box
        assert x >= -ROUNDING
        assert x + w <= WIDTH + ROUNDING
    elif mended is not None:
        left, top, width, height = mended.bbox
        assert width > 0
        assert height > 0
        assert max(x, 0) == left
        assert max(y, 0) == top
        assert left + width == pytest.approx(min(x + w, WIDTH), rel=1e-12, abs=1e-9)
        assert top + height == pytest.approx(min(y + h, HEIGHT), rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("zero_area", {"bbox": [5, 5, 0, 5]}),
        ("outside", {"bbox": [50, 5, 9, 9]}),
        ("non_finite", {"bbox": [5, 5, math.nan, 5]}),
        ("unknown_category", {"category_id": 99}),
        ("unknown_image", {"image_id": 99}),
    ],
)
def test_a_box_that_cannot_be_used_is_left_out(kind, changes, source, build, contents) -> None:
    add_box(source, **changes)
    dataset = build(fix=[kind])
    assert [box["id"] for box in contents(dataset, "train.json")["annotations"]] == [1, 2]
    assert dataset.metrics[f"problems.{kind}"] == 1
