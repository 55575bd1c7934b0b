"""``mmdet2tflite doctor --store``: what a person reads of a store's verification."""

import json
from dataclasses import asdict
from pathlib import Path

from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.errors import StoreError
from mmdet2tflite.report.terminal import console, progress_bar
from mmdet2tflite.store.store import Store
from mmdet2tflite.store.verify import Verification, verify_store

MEGABYTE = 1e6


def print_verification(root: Path, place: str | None, *, as_json: bool) -> bool:
    """Verify a store and say what was found.

    Args:
        root: of the project.
        place: an experiment file, a store's folder or URL; by default that of an experiment.

    Returns:
        Whether every artefact is whole.

    Raises:
        StoreError: there is no such store, or it cannot be read.
        ConfigError: the experiment is wrong.
    """
    store = Store(_root_of_store(root, place))
    with progress_bar("verify") as on_progress:
        found = verify_store(store, lambda done, of: on_progress({"completed": done, "total": of}))
    if as_json:
        print(json.dumps({"store": store.root, **asdict(found)}, default=str, indent=1))
    else:
        for line in _lines(store, found):
            console.print(line, soft_wrap=True, markup=False)
    return not (found.damaged or found.unreadable)


def _root_of_store(root: Path, place: str | None) -> str:
    """Raises StoreError if there is none: a folder without artefacts is no whole store."""
    if place is None:
        place = str(root / str(Experiment.model_fields["store"].default))
    elif place.endswith((".yaml", ".yml")):
        store = load_experiment(Path(place)).store
        place = store if "://" in store else str(root / store)
    if "://" not in place and not Path(place).is_dir():
        raise StoreError(
            f"there is no store in {place}",
            "the `store` of an experiment that was run",
            "name it, or the experiment: mmdet2tflite doctor --store EXPERIMENT",
        )
    return place


def _lines(store: Store, found: Verification) -> list[str]:
    lines = [f"{store.root}: {found.whole} artefacts are whole, {len(found.damaged)} damaged"]
    lines += [f"  {place}: set aside; a run that needs it makes it anew" for place in found.damaged]
    lines += [f"  {sentence}" for sentence in found.unreadable]
    if found.leftovers:
        size = sum(each.size for each in found.leftovers) / MEGABYTE
        number = len(found.leftovers)
        lines.append(f"  {number} leftovers take {size:.1f} MB: `clean-store` removes them in time")
    return lines
