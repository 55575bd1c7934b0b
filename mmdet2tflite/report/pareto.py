"""Accuracy against cost as a small SVG that follows the page's colours, light or dark."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, HEIGHT = 520, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 44
LABEL = (20, 14)
"""Room for a model's number, in pixels."""
LOG_FROM = 20.0
"""Costs that differ by more than this factor stand on a logarithmic axis."""

type Place = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """One model: its number in the table, what it costs, its mAP."""

    number: int
    name: str
    cost: float
    accuracy: float
    exact: bool


def points(rows: Sequence[Mapping[str, Any]], metric: str) -> list[Point]:
    """The rows that have both numbers; the first row is number 1."""
    return [
        Point(number, row["variant"], row["metrics"][metric], row["metrics"]["map"], row["exact"])
        for number, row in enumerate(rows, 1)
        if metric in row["metrics"] and "map" in row["metrics"]
    ]


def frontier(found: Sequence[Point]) -> list[Point]:
    """Exact points that no other one beats, by rising cost: whoever costs less is less accurate."""
    best: list[Point] = []
    exact = (point for point in found if point.exact)
    for point in sorted(exact, key=lambda p: (p.cost, -p.accuracy)):
        if not best or point.accuracy > best[-1].accuracy:
            best.append(point)
    return best


def draw(found: Sequence[Point], label: str) -> str:
    """The plot; "" without points."""
    if not found:
        return ""
    x, cost_ticks = _cost_axis([point.cost for point in found])
    y, map_ticks = _accuracy_axis([point.accuracy for point in found])
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="mAP against {escape(label)}">'
    ]
    for tick in map_ticks:
        parts.append(
            f'<path class="grid" d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}"/>'
            f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.4g}</text>'
        )
    base = HEIGHT - BOTTOM
    for tick in cost_ticks:
        parts.append(
            f'<path class="grid" d="M{x(tick):.1f} {TOP}V{base}"/>'
            f'<text x="{x(tick):.1f}" y="{base + 17}" text-anchor="middle">{tick:.4g}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(label)}</text>"
        f'<text x="14" y="{(TOP + base) / 2}" text-anchor="middle" '
        f'transform="rotate(-90 14 {(TOP + base) / 2})">mAP</text>'
    )
    parts.append(_steps([(x(point.cost), y(point.accuracy)) for point in frontier(found)]))
    parts += _markers(found, [(x(point.cost), y(point.accuracy)) for point in found])
    return "".join((*parts, "</svg>"))


def _steps(corners: Sequence[Place]) -> str:
    if not corners:
        return ""
    (x, y), *others = corners
    line = f"M{x:.1f} {y:.1f}" + "".join(f"H{a:.1f}V{b:.1f}" for a, b in others)
    return f'<path class="frontier" d="{line}H{WIDTH - RIGHT}"/>'


def _markers(found: Sequence[Point], places: Sequence[Place]) -> list[str]:
    parts = []
    for point, place, label in zip(found, places, _label_places(places), strict=True):
        kind = "point" if point.exact else "point inexact"
        name = escape(f"{point.number}: {point.name}, mAP {point.accuracy:.4f}, {point.cost:.2f}")
        parts.append(
            f'<g><title>{name}</title><path class="leader" '
            f'd="M{place[0]:.1f} {place[1]:.1f}L{label[0]:.1f} {label[1]:.1f}"/>'
            f'<circle class="{kind}" cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="4.5"/>'
            f'<text class="number" x="{label[0]:.1f}" y="{label[1] + 4.5:.1f}" '
            f'text-anchor="middle">{point.number}</text></g>'
        )
    return parts


def _label_places(places: Sequence[Place]) -> list[Place]:
    """The nearest free place around each point, so that numbers of equal models do not overlap."""
    width, height = LABEL
    taken = list(places)
    result: list[Place] = []
    for x, y in places:
        candidates = (
            (x + radius * math.cos(angle), y - radius * math.sin(angle))
            for radius in range(15, 160, 7)
            for angle in (math.radians(degrees) for degrees in range(75, 435, 30))
        )
        inside = (
            place
            for place in candidates
            if LEFT + width / 2 < place[0] < WIDTH - width / 2
            and TOP + height / 2 < place[1] < HEIGHT - BOTTOM - height / 2
        )
        free = (
            place
            for place in inside
            if all(abs(place[0] - a) >= width or abs(place[1] - b) >= height for a, b in taken)
        )
        chosen = next(free, (x, y - 15))
        taken.append(chosen)
        result.append(chosen)
    return result


def _cost_axis(costs: Sequence[float]) -> tuple[Any, list[float]]:
    room = WIDTH - LEFT - RIGHT
    low, high = min(costs), max(costs)
    if low > 0 and high / low > LOG_FROM:
        ends = math.log10(low) - 0.1, math.log10(high) + 0.1
        ticks = [
            digit * 10.0**power
            for power in range(math.floor(ends[0]), math.ceil(ends[1]) + 1)
            for digit in (1, 2, 5)
        ]
        span = ends[1] - ends[0]
        shown = [tick for tick in ticks if ends[0] <= math.log10(tick) <= ends[1]]
        return lambda cost: LEFT + room * (math.log10(cost) - ends[0]) / span, shown
    end = high * 1.1 or 1.0
    return lambda cost: LEFT + room * cost / end, _ticks(0, end)


def _accuracy_axis(values: Sequence[float]) -> tuple[Any, list[float]]:
    margin = 0.15 * (max(values) - min(values)) or 0.01
    low, high = max(0.0, min(values) - margin), max(values) + margin
    room = HEIGHT - TOP - BOTTOM
    return lambda value: TOP + room * (high - value) / (high - low), _ticks(low, high)


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers from ``low`` to ``high``."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= raw)
    first, last = math.ceil(low / step), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
