"""report.html: the numbers of comparison.json, escaped, in one file."""

import re
from html import unescape

import cv2
import numpy as np
import pytest

from mmdet2tflite.evaluate.causes import classify_detections
from mmdet2tflite.evaluate.image_score import score_image
from mmdet2tflite.evaluate.truth import Truth
from mmdet2tflite.report.page import Shown, heat, render
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.decode.corners import upright
from tests.report.finished_run import CLASSES
from tests.report.html_page import Page

LOADERS = {"src", "href", "srcset", "data", "action", "poster"}


@pytest.fixture(scope="module")
def page(compared) -> Page:
    return Page(compared[1])


def test_the_heat_map_ends_at_1e_7_and_at_the_whole_range():
    assert [heat(error) for error in (0.0, 1e-7, 1.0, 30.0)] == [0, 0, 1, 1]
    # 1e-6 and 2e-6 of 1e-7 … 1: one and 1.3 of seven decades; 0.7: 6.85 of them
    assert [heat(error) for error in (1e-6, 2e-6, 0.7)] == [0.143, 0.186, 0.978]


def test_nothing_is_loaded_from_anywhere(compared, page):
    for tag, attributes in page.elements:
        for name in LOADERS & set(attributes):
            value = attributes[name] or ""
            assert value.startswith(("data:", "#")), (tag, name, value[:80])
    assert not re.search(r"url\((?!#)|@import|https?://|fetch\(|import ", compared[1])
    assert not any(
        tag in ("link", "iframe", "object") and "data:," not in str(attributes)
        for tag, attributes in page.elements
    )


def test_class_names_reasons_and_messages_are_text_and_no_markup(compared, page):
    assert not any(tag in ("b", "i") and not attributes for tag, attributes in page.elements)
    assert sum(tag == "script" for tag, _ in page.elements) == 1  # the page's own
    text = unescape("".join(page.text))
    assert CLASSES[0] in text
    assert "<script>alert('boom')</script> & more" in text
    reasons = [a["title"] for tag, a in page.elements if tag == "td" and "because" in str(a)]
    assert set(reasons) == {"because <i>"}


def test_boxes_are_drawn_at_the_pictures_scale_and_dashed_where_they_were_missed(compared):
    changed = compared[1].split("changed most")[1]
    truth, reference, model = re.findall(r"<figure>.*?</figure>", changed, re.S)[:3]
    # The image is 100 pixels wide and shown with 320: 40, 10, 20, 20 becomes 128, 32, 64, 64.
    box = 'x="128.0" y="32.0" width="64.0" height="64.0"'
    assert f'<rect class="box c0 dashed" {box}' in truth
    assert f'<rect class="box c0" {box}' in reference
    assert box not in model
    assert "F1 0.667 · 1 right, 0 wrong, 1 not found" in model


def test_an_image_is_embedded_once_however_often_it_is_shown(compared):
    assert compared[1].count("data:image/jpeg;base64,") == 2
    assert compared[1].count('href="#image-') > 2


def oriented(*boxes: list[float], score: float) -> Detections:
    """Of class 0, from x and y of the centre, width, height, angle in radians."""
    values = np.array(boxes, np.float32).reshape(-1, 5)
    scores, labels = np.full(len(values), score, np.float32), np.zeros(len(values), np.int64)
    return Detections(upright(values), scores, labels, oriented=values)


def test_oriented_boxes_are_polygons_of_their_corners_dashed_where_they_were_missed(
    compared, tmp_path
):
    file = tmp_path / "1.png"
    cv2.imwrite(str(file), np.full((80, 100, 3), 90, np.uint8))
    angle = np.arctan2(3, 4)
    truth = oriented([30, 40, 20, 10, angle], [70, 40, 20, 10, angle], score=1)
    nothing, found = truth[:0], oriented([30, 40, 20, 10, angle], score=0.9)
    scores = {1: score_image(truth, found, classify_detections(truth, nothing, found))}
    shown = Shown(
        classes=["cat & dog"],
        truth=Truth({1: truth}, {1: nothing}, {1: [200.0, 200.0]}, {1: file}),
        scores={"PyTorch": scores},
        chosen={"PyTorch": {"best": 1}},
        analyses={},
    )
    figures = re.findall(r"<figure>.*?</figure>", render(compared[0], shown, ""), re.S)
    truths, founds = (Page(figure).all("polygon") for figure in figures[-2:])
    # From x = 30 and y = 40: -+ 8 +- 3 and -+ 6 -+ 4; 100 pixels are shown as 320.
    corners = [(25, 30), (41, 42), (35, 50), (19, 38)]
    points = [
        " ".join(f"{3.2 * (x + right):.1f},{3.2 * y:.1f}" for x, y in corners) for right in (0, 40)
    ]
    assert [box["points"] for box in truths] == points
    assert [box["class"] for box in truths] == ["box c0", "box c0 dashed"]
    assert [(box["points"], box["class"]) for box in founds] == [(points[0], "box c0")]
    assert not any(Page(figure).all("rect") for figure in figures[-2:])
    assert figures[-2].count("<title>cat &amp; dog</title></polygon>") == 1
    assert figures[-2].count("<title>cat &amp; dog: missed</title></polygon>") == 1
