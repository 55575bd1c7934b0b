"""Folders that are not there, and clocks that are wrong."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from benchmarks.chaos.disks import UNTIL
from benchmarks.chaos.trial import Case, NotTried, Trial
from benchmarks.chaos.verdict import Happened
from mmdet2tflite.manifest import MANIFEST

FOLDERS, CLOCK = "folders", "clock"
NOWHERE = "/proc/nowhere"
"""Neither there nor to be made, not even by root."""
FAKETIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"
BACK, NOW = "-1d", "+0"
YEAR = timedelta(days=365)


@contextmanager
def missing(trial: Trial, *, variable: str) -> Iterator[Happened]:
    """An environment variable names a folder that is not there."""
    trial.place.remove(trial.reference.from_stage(UNTIL))
    ended = trial.place.start(variables={variable: NOWHERE}).end(trial.reference.limit)
    yield Happened([ended], f"{variable}={NOWHERE}")


@contextmanager
def clock_back(trial: Trial) -> Iterator[Happened]:
    """The clock is a day behind the artefacts (libfaketime)."""
    trial.place.remove(trial.reference.from_stage(UNTIL))
    ended = trial.place.start(variables=_faketime(FAKETIME=BACK)).end(trial.reference.limit)
    yield Happened([ended], "libfaketime: a day back from the start")


@contextmanager
def clock_turned_back(trial: Trial) -> Iterator[Happened]:
    """The clock is set back a day while a stage runs (libfaketime)."""
    place = trial.place
    place.remove(trial.reference.from_stage(UNTIL))
    clock = place.folder / "clock"
    clock.write_text(NOW)
    names = {"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    run = place.start(variables=_faketime(**names))
    if not run.until(lambda: place.working(UNTIL)):
        raise NotTried(f"the stage {UNTIL} never ran: {run.end(0).last_line}")
    clock.write_text(BACK)
    yield Happened([run.end(trial.reference.limit)], f"libfaketime: a day back while {UNTIL} runs")


@contextmanager
def dated_ahead(trial: Trial) -> Iterator[Happened]:
    """Manifests and files come from a machine whose clock was a year ahead."""
    trial.place.remove(trial.reference.from_stage(UNTIL))
    shift_dates(trial.place.store, YEAR)
    ended = trial.place.start().end(trial.reference.limit)
    yield Happened([ended], "manifests and files dated a year ahead")


def shift_dates(store: Path, by: timedelta) -> None:
    """Let all artefacts of a store be older or newer than they are."""
    for path in store.glob(f"[!.]*/*/{MANIFEST}"):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        created = datetime.fromisoformat(manifest["created"]) + by
        manifest["created"] = created.isoformat(timespec="seconds")
        path.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        for file in (path.parent, *path.parent.rglob("*")):
            moved = file.stat().st_mtime + by.total_seconds()
            os.utime(file, (moved, moved))


def surroundings_cases() -> list[Case]:
    """All of this module."""
    return [
        Case("tmpdir-missing", FOLDERS, partial(missing, variable="TMPDIR")),
        Case("home-missing", FOLDERS, partial(missing, variable="HOME")),
        Case("clock-back", CLOCK, clock_back),
        Case("clock-turned-back", CLOCK, clock_turned_back),
        Case("dated-ahead", CLOCK, dated_ahead),
    ]


def _faketime(**variables: str) -> Mapping[str, str]:
    found = sorted(Path("/").glob(FAKETIME.removeprefix("/")))
    if not found:
        raise NotTried("no libfaketime: apt-get install libfaketime")
    # The monotonic clock is no part of what a person or NTP sets.
    return {"LD_PRELOAD": str(found[0]), "FAKETIME_DONT_FAKE_MONOTONIC": "1", **variables}
