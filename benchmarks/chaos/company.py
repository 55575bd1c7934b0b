"""Several runs at once, and a run beside what makes room in its store."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from benchmarks.chaos.disks import UNTIL
from benchmarks.chaos.surroundings import shift_dates
from benchmarks.chaos.trial import Case, Trial
from benchmarks.chaos.verdict import Happened

GROUP = "company"
RUNS = 4
SECOND = "second"
OLD = timedelta(days=-60)
CLEAN = """
import pathlib, sys
from tasks.servers.server import start_server
wait = start_server()
from flows.clean_store import clean_store
from mmdet2tflite.errors import RegistryError
wait()
experiment, stop = sys.argv[1:]
while not pathlib.Path(stop).exists():
    try:
        clean_store(experiment, dry_run=False)
    except RegistryError as no_run_yet:
        print(no_run_yet.found)
"""
"""Makes room again and again until the file ``stop`` is there."""


@contextmanager
def several(trial: Trial) -> Iterator[Happened]:
    """The same command several times at once, on an empty store."""
    runs = [trial.place.start(log=f"run-{number}") for number in range(RUNS)]
    ended = [run.end(RUNS * trial.reference.limit) for run in runs]
    yield Happened(ended, f"{RUNS} runs at once, the store empty", must_succeed=True)


@contextmanager
def two_experiments(trial: Trial) -> Iterator[Happened]:
    """Two experiments that share a store, and the stages before they differ."""
    place = trial.place
    place.remove(trial.reference.from_stage(UNTIL))
    place.write(SECOND, variants={"padding": ["explicit"]})
    runs = [place.start(), place.start(name=SECOND)]
    ended = [run.end(trial.reference.limit) for run in runs]
    yield Happened(ended, "two experiments at once in one store", must_succeed=True)


@contextmanager
def beside_clean_store(trial: Trial) -> Iterator[Happened]:
    """A run that comes to old artefacts, while `clean-store` removes what nobody refers to yet."""
    place = trial.place
    place.remove(trial.reference.of_stage(UNTIL))
    shift_dates(place.store, OLD)
    stop = place.folder / "stop"
    run = place.start()
    words = ["-c", CLEAN, str(place.folder / "chaos.yaml"), str(stop)]
    cleaner = place.start_words(words, "cleaner")
    ended = run.end(trial.reference.limit)
    stop.touch()
    yield Happened(
        [ended, cleaner.end(trial.reference.limit)], "clean-store (dry_run false) beside it"
    )


def company_cases() -> list[Case]:
    """All of this module."""
    return [
        Case("four-at-once", GROUP, several, full=False),
        Case("two-experiments", GROUP, two_experiments),
        Case("beside-clean-store", GROUP, beside_clean_store, removes=True),
    ]
