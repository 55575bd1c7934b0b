"""Looks through a store as a whole: what is damaged, and what is no artefact (any more)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mmdet2tflite.errors import StoreError
from mmdet2tflite.store.leftover import Leftover
from mmdet2tflite.store.store import Store


@dataclass(frozen=True)
class Verification:
    """What was found.

    ``whole``: number of artefacts whose files are all as they were made. ``damaged``: stage and key
    of those that were set aside. ``unreadable``: sentences on what could not be looked at.
    ``leftovers``: what takes room for nothing, the damaged ones included.
    """

    whole: int
    damaged: tuple[str, ...]
    unreadable: tuple[str, ...]
    leftovers: tuple[Leftover, ...]


def verify_store(
    store: Store, on_progress: Callable[[int, int], None] = lambda done, of: None
) -> Verification:
    """Compare every file of every artefact with its digest; set aside what is damaged.

    Of a store that machines share, manifests are read, and the files of this machine's copies when
    they are used.
    """
    damaged, unreadable = [], []
    places = store.places()
    for number, (stage, key) in enumerate(places):
        on_progress(number, len(places))
        try:
            if store.find(stage, key) is None:
                damaged.append(f"{stage}/{key}")
        except StoreError as error:
            unreadable.append(error.found)
    leftovers = store.leftovers(datetime.now(UTC) + timedelta(seconds=1))
    whole = len(places) - len(damaged) - len(unreadable)
    return Verification(whole, tuple(damaged), tuple(unreadable), tuple(leftovers))
