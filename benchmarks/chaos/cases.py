"""All cases, and choosing among them."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from benchmarks.chaos.company import company_cases
from benchmarks.chaos.damage import damage_cases
from benchmarks.chaos.databases import database_cases
from benchmarks.chaos.disks import disk_cases
from benchmarks.chaos.kills import GROUP, kill_cases
from benchmarks.chaos.surroundings import surroundings_cases
from benchmarks.chaos.trial import Case

KILLS = 72
"""Eight in each stage, and eight between stages."""


def all_cases() -> list[Case]:
    """Every case. Those with several runs at once come first: they take longest."""
    return [
        *company_cases(),
        *kill_cases(),
        *disk_cases(),
        *damage_cases(),
        *database_cases(),
        *surroundings_cases(),
    ]


def choose(cases: Sequence[Case], names: Sequence[str] = (), kills: int = KILLS) -> list[Case]:
    """The cases whose names match a pattern (``kill-onnx-*``), or all; at most so many kills.

    Raises:
        ValueError: a pattern matches none.
    """
    for name in names:
        if not any(fnmatchcase(case.name, name) for case in cases):
            raise ValueError(f"no case is called {name}; --list shows all")
    chosen = [
        case for case in cases if not names or any(fnmatchcase(case.name, name) for name in names)
    ]
    too_many = [case for case in chosen if case.group.startswith(GROUP)][kills:]
    return [case for case in chosen if case not in too_many]
