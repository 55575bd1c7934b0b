"""Accuracy against cost: who is on the frontier, and a plot that can be read."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from mmdet2tflite.report.pareto import Point, draw, frontier, points
from mmdet2tflite.report.svg import svg


def point(number: int, cost: float, accuracy: float, *, exact: bool = True) -> Point:
    return Point(number, f"<{number}>", cost, accuracy, exact)


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


@pytest.mark.parametrize("same", [1, 2, 9])
def test_numbers_of_models_in_one_place_stand_in_a_row(same):
    found = [point(number, 3.7, 0.3725) for number in range(1, same + 1)]
    (axes,) = draw([*found, point(10, 1.0, 0.3)], "cost").axes
    assert {text.get_text() for text in axes.texts} == {
        ", ".join(str(p.number) for p in found),
        "10",
    }


def test_numbers_of_models_near_each_other_do_not_overlap():
    crowd = [point(n, 3.7 + 0.02 * (n % 5), 0.37 + 0.001 * (n % 7)) for n in range(1, 30)]
    (axes,) = draw(crowd, "cost").axes
    places = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(places) for b in places[:i])
    numbers = ", ".join(text.get_text() for text in axes.texts).split(", ")
    assert sorted(map(int, numbers)) == list(range(1, 30))


def test_costs_of_different_orders_stand_on_a_logarithmic_axis():
    for costs, scale in (((2.0, 20.0, 200.0), "log"), ((2.0, 20.0), "linear"), ((0.0,), "linear")):
        (axes,) = draw([point(1, cost, 0.2) for cost in costs], "cost").axes
        assert axes.get_xscale() == scale


def test_the_dashed_line_runs_along_the_frontier_to_the_edge():
    (axes,) = draw([point(1, 1.0, 0.2), point(2, 2.0, 0.3), point(3, 2.0, 0.1)], "cost").axes
    line = axes.lines[-1]
    assert line.get_linestyle() == "--"
    assert line.get_xydata().tolist() == [[1.0, 0.2], [2.0, 0.3], [axes.get_xlim()[1], 0.3]]


def test_a_plot_in_a_page_has_the_pages_colours_and_tells_names_when_hovered():
    found = [point(1, 1.0, 0.2), point(2, 2.0, 0.3, exact=False)]
    text = svg(draw(found, "cost & more"), "a & b")
    parsed = ElementTree.fromstring(text.replace("xlink:", ""))
    assert parsed.get("aria-label") == "a & b"
    assert [title.text for title in parsed.iter("title")] == [
        "1: <1>, mAP 0.2000, 1.00",
        "2: <2>, mAP 0.3000, 2.00",
    ]
    assert "cost & more" in [element.text for element in parsed.iter("text")]
    fills = [use.get("style", "").split(";")[0] for use in parsed.iter("use")]
    assert fills[-2:] == ["fill: var(--accent)", "fill: var(--card)"]  # an inexact one is hollow
    assert not re.search(r"#[0-9a-f]{6}\b", text)
    assert "http" not in text


def test_the_same_numbers_give_the_same_plot():
    assert len({svg(draw([point(1, 1.0, 0.2)], "cost"), "plot") for _ in range(2)}) == 1
