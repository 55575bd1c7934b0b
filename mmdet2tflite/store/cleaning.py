"""Which artefacts of a store nobody needs any more."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from mmdet2tflite.artifacts import Artifact
from mmdet2tflite.store.store import Store


@dataclass(frozen=True)
class Unneeded:
    """An artefact that may go, its size in bytes, and when it was made."""

    artifact: Artifact
    size: int
    created: datetime


def unneeded(
    store: Store, used: Collection[tuple[str, str]], made_before: datetime
) -> list[Unneeded]:
    """The artefacts that may go, the largest first.

    1. What is used stays, and what was made lately, and what ``mmdet2tflite compare`` would print.
    2. What an artefact was made of stays with it.

    Args:
        used: stage and key of each artefact that somebody still refers to.
        made_before: with a time zone.
    """
    artefacts = {(artifact.stage, artifact.key): artifact for artifact in store.finished()}
    manifests = {place: store.manifest(artifact) for place, artifact in artefacts.items()}
    made = {p: datetime.fromisoformat(manifest["created"]) for p, manifest in manifests.items()}
    printed = [found for name in store.remembered() if (found := store.recall(name))]
    kept = {place for place in artefacts if place in used or made[place] >= made_before}
    kept |= {(artifact.stage, artifact.key) for artifact in printed}
    places: dict[str, list[tuple[str, str]]] = {}
    for place, artifact in artefacts.items():
        places.setdefault(artifact.digest, []).append(place)
    new: Iterable[tuple[str, str]] = kept & artefacts.keys()
    while new:  # rule 2
        inputs = {d for place in new for d in manifests[place]["origin"].get("inputs", {}).values()}
        new = {place for digest in inputs for place in places.get(digest, ())} - kept
        kept |= new
    rest = [
        Unneeded(artifact, sum(f["bytes"] for f in manifests[place]["files"].values()), made[place])
        for place, artifact in artefacts.items()
        if place not in kept
    ]
    return sorted(rest, key=lambda each: -each.size)
