"""Disks that are full, read-only or pulled out: small tmpfs in place of a folder."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.chaos.trial import Case, NotTried, Trial
from benchmarks.chaos.verdict import Happened

GROUP = "disk"
ROOMY = 2000
MEGABYTES = {"store": (1, 5, 20), "mlruns": (1, 5, 20), "prefect": (1,), "tmp": (1, 5)}
"""Left on the disk of each folder; the last two never need more than a few."""
UNTIL = "onnx"
"""The stage that is made anew, and all after it, where a case does not need an empty store."""


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """A tmpfs with what the folder holds, which is unmounted at the end.

    Raises:
        NotTried: this user may not mount.
    """
    kept = folder.with_name(f"{folder.name}.before")
    folder.mkdir(exist_ok=True)
    folder.rename(kept)
    folder.mkdir()
    _mount(folder, "-t", "tmpfs", "-o", f"size={ROOMY}m", "tmpfs")
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def resize(folder: Path, room: int) -> None:
    """Leave so many megabytes free on a disk."""
    used = shutil.disk_usage(folder).used
    _mount(folder, "-o", f"remount,size={used + room * 1_000_000}")


def _mount(folder: Path, *words: str) -> None:
    try:
        done = subprocess.run(["mount", *words, folder], capture_output=True, text=True)
    except FileNotFoundError:
        raise NotTried("there is no mount command") from None
    if done.returncode:
        raise NotTried(f"this user may not mount: {done.stderr.strip()}")


@contextmanager
def full(trial: Trial, *, name: str, megabytes: int) -> Iterator[Happened]:
    """So little room for one of a run's folders; then enough."""
    folder = trial.place.folder / name
    with disk(folder):
        resize(folder, megabytes)
        ended = trial.place.start().end(trial.reference.limit)
        resize(folder, ROOMY)
        yield Happened([ended], f"{megabytes} MB free in {name}")


@contextmanager
def read_only(trial: Trial, *, name: str, remove: bool) -> Iterator[Happened]:
    """One of a run's folders cannot be written; then it can."""
    place = trial.place
    folder = place.folder / name
    if remove:
        place.remove(trial.reference.from_stage(UNTIL))
    with disk(folder):
        _mount(folder, "-o", "remount,ro")
        ended = place.start().end(trial.reference.limit)
        _mount(folder, "-o", "remount,rw")
        yield Happened([ended], f"{name} is read-only")


@contextmanager
def store_removed(trial: Trial) -> Iterator[Happened]:
    """Somebody deletes the whole store while a stage works in it."""
    place = trial.place
    place.remove(trial.reference.from_stage(UNTIL))
    run = place.start()
    if not run.until(lambda: bool(run.targets("tool")) and place.working(UNTIL)):
        raise NotTried(f"the stage {UNTIL} never ran: {run.end(0).last_line}")
    shutil.rmtree(place.store, ignore_errors=True)
    yield Happened([run.end(trial.reference.limit)], f"the store is deleted while {UNTIL} runs")


def disk_cases() -> list[Case]:
    """All of this module."""
    fulls = [
        Case(
            f"disk-{name}-{megabytes}",
            GROUP,
            partial(full, name=name, megabytes=megabytes),
            full=name != "store",
        )
        for name, sizes in MEGABYTES.items()
        for megabytes in sizes
    ]
    return [
        *fulls,
        Case("read-only-store", GROUP, partial(read_only, name="store", remove=True)),
        Case("read-only-finished", GROUP, partial(read_only, name="store", remove=False)),
        Case("read-only-mlruns", GROUP, partial(read_only, name="mlruns", remove=False)),
        Case("read-only-prefect", GROUP, partial(read_only, name="prefect", remove=False)),
        Case("store-removed", GROUP, store_removed, removes=True),
    ]
