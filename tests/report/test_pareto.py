"""Accuracy against cost: who is on the frontier, and a plot that can be read."""

import re
import xml.etree.ElementTree as ElementTree

import cv2
import pytest

from mmdet2tflite.graph.strategies.table import STRATEGIES
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.report.pareto import (
    COLOURS,
    MARKS,
    Point,
    budget_line,
    draw,
    frontier,
    points,
    save_plots,
)
from mmdet2tflite.report.svg import svg


def point(number: int, cost: float, accuracy: float, *, exact: bool = True) -> Point:
    return Point(number, f"<{number}>", cost, accuracy, exact)


def made_by(
    number: int,
    cost: float,
    accuracy: float,
    strategy: str,
    precision: str,
    *,
    exact: bool = True,
) -> Point:
    return Point(number, f"<{number}>", cost, accuracy, exact, strategy, precision)


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
    assert {text.get_text().replace("\n", " ") for text in axes.texts} == {
        ", ".join(str(p.number) for p in found),
        "10",
    }
    assert all(len(line) <= len("1, 2, 3, 4, 5,") for line in axes.texts[0].get_text().split("\n"))


def test_numbers_of_models_near_each_other_do_not_overlap():
    crowd = [point(n, 3.7 + 0.02 * (n % 5), 0.37 + 0.001 * (n % 7)) for n in range(1, 30)]
    (axes,) = draw(crowd, "cost").axes
    places = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(places) for b in places[:i])
    numbers = re.split(r",\s", ", ".join(text.get_text() for text in axes.texts))
    assert sorted(map(int, numbers)) == list(range(1, 30))


def test_costs_of_different_orders_stand_on_a_logarithmic_axis():
    for costs, scale in (((2.0, 20.0, 200.0), "log"), ((2.0, 20.0), "linear"), ((0.0,), "linear")):
        (axes,) = draw([point(1, cost, 0.2) for cost in costs], "cost").axes
        assert axes.get_xscale() == scale


def test_an_inexact_model_that_is_far_worse_stands_on_the_lower_edge():
    found = [point(1, 1.0, 0.36), point(2, 2.0, 0.38), point(3, 2.0, 0.04, exact=False)]
    (axes,) = draw(found, "cost").axes
    lower, upper = axes.get_ylim()
    assert 0.34 < lower < 0.36 < 0.38 < upper < 0.40
    assert [line.get_ydata()[0] for line in axes.lines[:3]] == [0.36, 0.38, lower]
    (alone,) = draw([point(1, 1.0, 0.04, exact=False)], "cost").axes
    assert alone.get_ylim()[0] < 0.04 < alone.get_ylim()[1]


def test_the_budget_is_within_the_axes():
    (axes,) = draw([point(1, 1.0, 0.38)], "cost", 0.2).axes
    assert axes.get_ylim()[0] < 0.2


def test_the_dashed_line_runs_along_the_frontier_to_the_edge():
    (axes,) = draw([point(1, 1.0, 0.2), point(2, 2.0, 0.3), point(3, 2.0, 0.1)], "cost").axes
    line = axes.lines[-1]
    assert line.get_linestyle() == "--"
    assert line.get_xydata().tolist() == [[1.0, 0.2], [2.0, 0.3], [axes.get_xlim()[1], 0.3]]


def test_a_plot_in_a_page_has_the_pages_colours_and_tells_names_when_hovered():
    found = [
        made_by(1, 1.0, 0.2, "explicit", "float32"),
        made_by(2, 2.0, 0.3, "force_same", "int8", exact=False),
    ]
    text = svg(draw(found, "cost & more", 0.25), "a & b")
    parsed = ElementTree.fromstring(text.replace("xlink:", ""))
    assert parsed.get("aria-label") == "a & b"
    assert [title.text for title in parsed.iter("title")] == [
        "accuracy budget: mAP 0.2500",
        "1: <1>, mAP 0.2000, 1.00",
        "2: <2>, mAP 0.3000, 2.00",
    ]
    texts = [element.text for element in parsed.iter("text")]
    assert {"cost & more", "explicit", "force_same", "float32", "int8"} <= set(texts)
    points = [g for g in parsed.iter("g") if g.find("title") is not None][1:]
    fills = [use.get("style", "").split(";")[0] for g in points for use in g.iter("use")]
    assert fills == ["fill: var(--accent)", "fill: var(--card)"]  # an inexact one is hollow
    assert "stroke: var(--bad)" in text
    assert "http" not in text


def test_no_colour_of_a_strategy_is_left_as_matplotlib_has_it():
    every = [made_by(n, 1.0 + n, 0.2, name, "float32") for n, name in enumerate(COLOURS, start=1)]
    text = svg(draw(every, "cost", 0.1), "plot")
    assert not re.search(r"#[0-9a-f]{6}\b", text)


def test_every_strategy_and_precision_has_a_look_of_its_own():
    assert set(COLOURS) == {"not converted", *STRATEGIES} - {"auto"}  # that becomes another one
    assert set(MARKS) == {"float32", *PRECISIONS}
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert len(set(MARKS.values())) == len(MARKS)


def test_a_strategy_has_a_colour_and_a_precision_a_mark():
    found = [
        made_by(1, 1.0, 0.2, "mirror", "float32"),
        made_by(2, 2.0, 0.2, "mirror", "int8"),
        made_by(3, 3.0, 0.2, "widen", "int8"),
    ]
    figure = draw(found, "cost")
    lines = figure.axes[0].lines[:3]
    assert [line.get_marker() for line in lines] == ["o", "D", "D"]
    colours = [line.get_markerfacecolor() for line in lines]
    assert colours[0] == colours[1] != colours[2]
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["mirror", "widen", "float32", "int8"]


def float32(strategy, accuracy, exact=True, **changes):
    fields = {"kind": "tflite", "exact": exact, "precision": "float32", "strategy": strategy}
    return {"variant": strategy, **fields, "metrics": {"map": accuracy, "size_mb": 2.0}} | changes


def test_the_budget_is_below_the_best_exact_float32_file():
    rows = [
        float32("PyTorch", 0.9, kind="checkpoint"),
        float32("mirror", 0.5),
        float32("widen", 0.49),
        float32("force_same", 0.7, exact=False),
        float32("mirror", 0.8, precision="int8"),
    ]
    assert budget_line(rows, 0.01) == pytest.approx(0.49)
    assert budget_line(rows, None) is None
    assert budget_line(rows[:1], 0.01) is None


def test_the_picture_shows_all_costs_that_were_measured(tmp_path):
    file = tmp_path / "accuracy.png"
    save_plots([float32("mirror", 0.5)], 0.01, file)  # no latency
    narrow = cv2.imread(str(file)).shape
    rows = [float32("mirror", 0.5, metrics={"map": 0.5, "size_mb": 2.0, "latency_ms": 1.0})]
    save_plots(rows, None, file)
    assert cv2.imread(str(file)).shape == (narrow[0], 2 * narrow[1], 3)


def test_without_a_map_there_is_no_picture(tmp_path):
    save_plots([float32("mirror", 0.5, metrics={"size_mb": 2.0})], None, tmp_path / "a.png")
    assert not any(tmp_path.iterdir())


def test_the_same_numbers_give_the_same_plot():
    assert len({svg(draw([point(1, 1.0, 0.2)], "cost"), "plot") for _ in range(2)}) == 1
