"""A finished artefact that the disk, or somebody, has changed since."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.chaos.trial import Case, Trial
from benchmarks.chaos.verdict import Happened
from mmdet2tflite.store.manifest import MANIFEST

GROUP = "damage"
STAGE, FILE, NEXT = "onnx", "model.onnx", "rewritten"
"""What is damaged, and the stage that reads it."""


def flip(folder: Path) -> None:
    """One bit in the middle of the file, which is among the weights: nothing fails to load."""
    content = bytearray((folder / FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / FILE).write_bytes(content)


def truncate(folder: Path) -> None:
    """What a power cut leaves of a file that was not written through."""
    (folder / FILE).write_bytes(b"")


def remove_file(folder: Path) -> None:
    """The file alone."""
    (folder / FILE).unlink()


def truncate_manifest(folder: Path) -> None:
    """Likewise, of what says that all is complete."""
    (folder / MANIFEST).write_bytes(b"")


@contextmanager
def damaged(trial: Trial, *, how: Callable[[Path], None]) -> Iterator[Happened]:
    """A stage reads what is not what it was.

    The run may mend it, or refuse it; then the folder is deleted, which is what the message says.
    """
    place = trial.place
    (artifact,) = trial.reference.of_stage(STAGE)
    place.remove(trial.reference.from_stage(NEXT))
    folder = place.store.joinpath(*artifact)
    how(folder)
    ended = place.start().end(trial.reference.limit)
    if ended.status:
        shutil.rmtree(folder, ignore_errors=True)
    yield Happened([ended], f"{how.__name__} {STAGE}, then {NEXT} is made of it")


def damage_cases() -> list[Case]:
    """All of this module."""
    return [
        Case(f"damage-{how.__name__}", GROUP, partial(damaged, how=how), removes=True)
        for how in (flip, truncate, remove_file, truncate_manifest)
    ]
