"""Overlaps of rotated boxes, computed in fractions, and pairs of boxes of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

type Point = tuple[Fraction, Fraction]

PAIRS_OF_A_KIND = 150


def corners(box: np.ndarray, origin: Point) -> list[Point]:
    """Of a box of float64 numbers, from x towards y. Only sine and cosine are rounded."""
    x, y, width, height = (Fraction(float(number)) for number in box[:4])
    cos, sin = Fraction(float(np.cos(box[4]))), Fraction(float(np.sin(box[4])))
    found = []
    for along, across in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        u, v = along * width / 2, across * height / 2
        found.append((x - origin[0] + u * cos - v * sin, y - origin[1] + u * sin + v * cos))
    return found


def cut(polygon: list[Point], start: Point, stop: Point) -> list[Point]:
    """What lies on y's side of the line (Sutherland and Hodgman), without a rounding."""
    (x, y), (dx, dy) = start, (stop[0] - start[0], stop[1] - start[1])
    sides = [dx * (point[1] - y) - dy * (point[0] - x) for point in polygon]
    kept: list[Point] = []
    for i, (point, side) in enumerate(zip(polygon, sides, strict=True)):
        before, other = polygon[i - 1], sides[i - 1]
        if side * other < 0:
            share = other / (other - side)
            kept.append(tuple(b + share * (p - b) for b, p in zip(before, point, strict=True)))
        if side >= 0:
            kept.append(point)
    return kept


def area(polygon: list[Point]) -> Fraction:
    edges = [(polygon[i - 1], point) for i, point in enumerate(polygon)]
    return sum((x1 * y2 - y1 * x2 for (x1, y1), (x2, y2) in edges), Fraction(0)) / 2


def exact_overlap(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """IoU and IoF of two boxes with positive sides."""
    origin = Fraction(float(first[0])), Fraction(float(first[1]))
    ours, theirs = corners(first, origin), corners(second, origin)
    common = ours
    for i in range(4):
        common = cut(common, theirs[i - 1], theirs[i])
    shared = area(common)
    return float(shared / (area(ours) + area(theirs) - shared)), float(shared / area(ours))


def plain(random: np.random.Generator, count: int = PAIRS_OF_A_KIND) -> np.ndarray:
    """N x 5: sides of 8 to 64 pixels within 100 pixels, every angle."""
    return np.column_stack(
        [
            random.uniform(0, 100, (count, 2)),
            random.uniform(8, 64, (count, 2)),
            random.uniform(-np.pi, np.pi, count),
        ]
    )


def kinds() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, N x 5 and N x 5 of each kind of pair."""
    random = np.random.default_rng(7)
    first, second = plain(random), plain(random)
    yield "anyhow", first, second
    yield "upright", first * [1, 1, 1, 1, 0], second * [1, 1, 1, 1, 0]
    yield "the same centre", first, np.column_stack([first[:, :2], second[:, 2:]])
    yield from _nearly_equal(random, first)
    yield from _collinear(first)
    thin = [1, 1, 100, 1e-3, 1]
    yield "thin", first * thin, second * thin
    yield "thin and nearly equal", first * thin, first * thin + np.array([0, 0, 0, 0, 1e-6])
    for name, scale in (("tiny", 1e-6), ("huge", 1e9)):
        yield name, first * ([scale] * 4 + [1]), second * ([scale] * 4 + [1])
    far = np.array([1e5, 1e5, 0, 0, 0])
    yield "small and far out", first + far, second + far
    yield "tiny and large", first, first * [1, 1, 1e-6, 1e-6, 1]


def _nearly_equal(
    random: np.random.Generator, first: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for name, turn in (("equal", 0), ("turned by 90°", np.pi / 2), ("turned by 180°", np.pi)):
        yield name, first, first + np.array([0, 0, 0, 0, turn])
    for digits in (1, 3, 6, 9, 12, 15):
        noise = np.clip(random.normal(size=first.shape), -3, 3) * 10.0**-digits
        yield f"equal to {digits} digits", first, first * (1 + noise)


def _collinear(first: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Edges on the same line, and corners on edges, as far as rounding leaves them there."""
    none = np.zeros((len(first), 3))
    width = first[:, 2:3] * np.column_stack([np.cos(first[:, 4]), np.sin(first[:, 4])])
    for share in (0.25, 1, 1.5):
        yield f"moved by {share} of its width", first, first + np.hstack([share * width, none])
    yield "one in the other", first, first * [1, 1, 0.5, 0.25, 1]
    moved = first + np.hstack([width / 4, none])
    yield "an edge on an edge", first, moved * [1, 1, 0.5, 0.25, 1]
