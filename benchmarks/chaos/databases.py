"""The databases of MLflow and Prefect, which others may lock or delete while a run uses them."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.chaos.disks import UNTIL
from benchmarks.chaos.processes import Run
from benchmarks.chaos.trial import Case, NotTried, Trial
from benchmarks.chaos.verdict import Happened

GROUP = "database"
DATABASES = {"mlflow": "mlruns/mlflow.db", "prefect": "prefect/prefect.db"}
SHORT, LONG = 20.0, 240.0
"""Seconds of a lock: another program's slow transaction, one that hangs."""


@contextmanager
def locked(trial: Trial, *, name: str, seconds: float) -> Iterator[Happened]:
    """Another program holds a database for so long, or to the end of the run."""
    run = _until_stage(trial)
    ended = threading.Event()
    database = trial.place.folder / DATABASES[name]
    holder = threading.Thread(target=_hold, args=(database, seconds, ended))
    holder.start()
    run.blow()
    end = run.end(LONG + trial.reference.limit)
    ended.set()
    holder.join()
    yield Happened([end], f"{DATABASES[name]} locked for {seconds:.0f} s", prompt=False)


@contextmanager
def removed(trial: Trial, *, name: str) -> Iterator[Happened]:
    """Somebody deletes a database, with its journals, while a run uses it."""
    run = _until_stage(trial)
    database = trial.place.folder / DATABASES[name]
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    run.blow()
    detail = f"{DATABASES[name]} deleted while {UNTIL} runs"
    yield Happened([run.end(LONG + trial.reference.limit)], detail, prompt=False)


def database_cases() -> list[Case]:
    """All of this module."""
    return [
        case
        for name in DATABASES
        for case in (
            Case(f"{name}-locked", GROUP, partial(locked, name=name, seconds=SHORT)),
            Case(f"{name}-locked-long", GROUP, partial(locked, name=name, seconds=LONG)),
            Case(f"{name}-removed", GROUP, partial(removed, name=name)),
        )
    ]


def _until_stage(trial: Trial) -> Run:
    place = trial.place
    place.remove(trial.reference.from_stage(UNTIL))
    run = place.start()
    if not run.until(lambda: place.working(UNTIL)):
        raise NotTried(f"the stage {UNTIL} never ran: {run.end(0).last_line}")
    return run


def _hold(database: Path, seconds: float, ended: threading.Event) -> None:
    with closing(sqlite3.connect(database, timeout=seconds)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        ended.wait(seconds)
        connection.rollback()
