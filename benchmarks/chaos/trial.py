"""One case from its copy of the undisturbed run to its verdict."""

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.chaos.digests import (
    damaged,
    differences,
    digests,
    fingerprint,
)
from benchmarks.chaos.place import NAME, Place, Reference
from benchmarks.chaos.verdict import Happened, Result, judge, tail


class NotTried(Exception):
    """The machine does not let a case happen; the message says why."""


@dataclass(frozen=True)
class Trial:
    """What a case is given."""

    place: Place
    reference: Reference
    rng: Random


type Disturb = Callable[[Trial], AbstractContextManager[Happened]]
"""Disturbs runs; when it yields, all is well again for the second run; then it tidies up."""


@dataclass(frozen=True)
class Case:
    """A disturbance by name.

    Args:
        full: the store holds all artefacts of the undisturbed run.
        removes: the case itself removes artefacts.
    """

    name: str
    group: str
    disturb: Disturb
    full: bool = True
    removes: bool = False


def try_case(
    case: Case, reference: Reference, work: Path, mark: str, seed: int, bound: float
) -> Result:
    """Disturb, run again, compare.

    The place is removed afterwards, unless something was found.
    """
    started = time.monotonic()
    place = reference.copy(work / case.name, f"{mark}/{case.name}", store=case.full)
    trial = Trial(place, reference, Random(f"{seed} {case.name}"))
    try:
        with case.disturb(trial) as happened:
            before = {} if case.removes else digests(place.store)
            again = place.start(log="again").end(reference.limit)
            lost = what_is_lost(trial, before)
    except NotTried as reason:
        shutil.rmtree(place.folder, ignore_errors=True)
        return Result(case.name, case.group, not_tried=str(reason))
    findings = judge(happened, again, lost, bound)
    runs = [*happened.ended, again]
    if not findings:
        shutil.rmtree(place.folder, ignore_errors=True)
    return Result(
        case.name,
        case.group,
        detail=happened.detail,
        findings=findings,
        statuses=[ended.status for ended in runs],
        seconds=round(time.monotonic() - started, 1),
        outputs=[tail(ended.output) for ended in runs] if findings else (),
    )


def what_is_lost(trial: Trial, before: dict[tuple[str, str], str]) -> Sequence[str]:
    """What is not as it is after the undisturbed run, by name.

    Args:
        before: the artefacts that were finished before the second run.
    """
    store = trial.place.store
    now = digests(store)
    gone = ["/".join(place) for place, digest in before.items() if now.get(place) != digest]
    expected, made = trial.reference.expected, fingerprint(store, NAME)
    return [
        *(f"{name} is gone or another one" for name in gone),
        *(f"{name} is not what its manifest says" for name in damaged(store)),
        *(f"{name} differs" for name in differences(expected, made)),
    ]
