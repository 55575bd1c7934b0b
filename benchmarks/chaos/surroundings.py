"""Folders that are not there, and clocks that are wrong."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from benchmarks.chaos.disks import UNTIL
from benchmarks.chaos.trial import Case, NotTried, Trial
from benchmarks.chaos.verdict import Happened
from mmdet2tflite.store.manifest import MANIFEST

FOLDERS, CLOCK = "folders", "clock"
NOWHERE = "/proc/nowhere"
"""Neither there nor to be made, not even by root."""
SOURCE = Path(__file__).with_name("clock.c")
YEAR = timedelta(days=365)


@contextmanager
def missing(trial: Trial, *, variable: str) -> Iterator[Happened]:
    """An environment variable names a folder that is not there."""
    trial.place.remove(trial.reference.from_stage(UNTIL))
    ended = trial.place.start(variables={variable: NOWHERE}).end(trial.reference.limit)
    yield Happened([ended], f"{variable}={NOWHERE}")


@contextmanager
def clock_back(trial: Trial) -> Iterator[Happened]:
    """The time of day is a day behind the artefacts."""
    trial.place.remove(trial.reference.from_stage(UNTIL))
    variables, clock = turnable_clock(trial.place.folder)
    clock.touch()
    ended = trial.place.start(variables=variables).end(trial.reference.limit)
    yield Happened([ended], "the clock is a day back from the start")


@contextmanager
def clock_turned_back(trial: Trial) -> Iterator[Happened]:
    """The time of day is set back by a day while a stage runs."""
    place = trial.place
    place.remove(trial.reference.from_stage(UNTIL))
    variables, clock = turnable_clock(place.folder)
    run = place.start(variables=variables)
    if not run.until(lambda: place.working(UNTIL)):
        raise NotTried(f"the stage {UNTIL} never ran: {run.end(0).last_line}")
    clock.touch()
    ended = run.end(trial.reference.limit)
    yield Happened([ended], f"the clock is set a day back while {UNTIL} runs")


def turnable_clock(folder: Path) -> tuple[Mapping[str, str], Path]:
    """Variables of processes whose time of day is a day back as soon as the file is there.

    Raises:
        NotTried: there is no C compiler, or not for this system.
    """
    library, clock = folder / "clock.so", folder / "clock"
    words = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE)]
    try:
        subprocess.run(words, check=True, capture_output=True, text=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise NotTried(f"the clock cannot be compiled: {error}") from None
    return {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(clock)}, clock


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
