"""Latencies as ratios to a base, with their spread."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Some values: extremes, quartiles, and the median."""

    low: float
    lower: float
    median: float
    upper: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Quartiles by linear interpolation between the sorted values, the extremes among them."""
    if len(values) == 1:
        return Spread(*[values[0]] * 5)
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(min(values), lower, median, upper, max(values))


def ratios(rounds: Mapping[str, Sequence[float]], base: str) -> dict[str, Spread]:
    """How many times as long as the base each one took, within each round.

    What slows the machine down for longer than a round slows both alike, and drops out.

    Args:
        rounds: one value per round, by name; as many for each.
    """
    return {
        name: spread([value / one for value, one in zip(values, rounds[base], strict=True)])
        for name, values in rounds.items()
    }
