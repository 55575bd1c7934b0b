"""Accuracy against cost: who is on the frontier, and a plot that can be read."""

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from mmdet2tflite.report.pareto import BOTTOM, HEIGHT, LABEL, Point, draw, frontier, points


def point(number: int, cost: float, accuracy: float, *, exact: bool = True) -> Point:
    return Point(number, f"<{number}>", cost, accuracy, exact)


def parsed(*found: Point) -> ElementTree.Element:
    return ElementTree.fromstring(draw(found, "cost & more"))


def test_a_model_is_on_the_frontier_if_no_exact_one_is_better_for_less():
    found = [
        point(1, 3.0, 0.5),
        point(2, 1.0, 0.3),
        point(3, 2.0, 0.2),
        point(4, 1.0, 0.1),
        point(5, 0.5, 0.9, exact=False),
    ]
    assert [p.number for p in frontier(found)] == [2, 1]


def test_a_row_without_a_number_is_not_drawn_and_the_others_keep_theirs(row):
    rows = [row("PyTorch", map=0.4), row("a", failure="x"), row("b", map=0.3, size_mb=2.0)]
    assert [(p.number, p.cost, p.accuracy) for p in points(rows, "size_mb")] == [(3, 2.0, 0.3)]
    assert draw([], "cost") == ""


@pytest.mark.parametrize("same", [2, 9])
def test_numbers_of_models_in_one_place_do_not_overlap(same):
    svg = parsed(*(point(number, 3.7, 0.3725) for number in range(1, same + 1)))
    labels = [e for e in svg.iter("text") if e.get("class") == "number"]
    places = [(float(e.get("x", "")), float(e.get("y", ""))) for e in labels]
    assert len(places) == same
    for i, (x, y) in enumerate(places):
        for a, b in places[:i]:
            assert abs(x - a) >= LABEL[0] - 0.2 or abs(y - b) >= LABEL[1] - 0.2


def test_a_point_stands_where_its_numbers_are_on_the_axes():
    svg = parsed(point(1, 10.0, 0.2), point(2, 20.0, 0.4))
    low, high = svg.iter("circle")
    x = [float(circle.get("cx", "")) for circle in (low, high)]
    ticks = {
        e.text: float(e.get("x", ""))
        for e in svg.iter("text")
        if e.get("y") == str(HEIGHT - BOTTOM + 17)
    }
    assert x[0] == pytest.approx(ticks["10"], abs=0.1)
    assert x[1] == pytest.approx(ticks["20"], abs=0.1)
    assert float(low.get("cy", "")) > float(high.get("cy", ""))  # SVG counts downwards


def test_costs_of_different_orders_stand_on_a_logarithmic_axis():
    svg = parsed(point(1, 2.0, 0.2), point(2, 20.0, 0.3), point(3, 200.0, 0.4))
    x = [float(circle.get("cx", "")) for circle in svg.iter("circle")]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    assert not any(math.isnan(value) for value in x)


def test_names_are_escaped_and_inexact_points_are_hollow():
    svg = parsed(point(1, 1.0, 0.2), point(2, 2.0, 0.3, exact=False))
    assert [circle.get("class") for circle in svg.iter("circle")] == ["point", "point inexact"]
    assert re.match(r"1: <1>, mAP 0\.2000", next(svg.iter("title")).text or "")
