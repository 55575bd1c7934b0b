"""The mmdet config as it is kept beside the weights: the same wherever it was trained."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any


def without_places(settings: Any, folders: Collection[Path]) -> Any:
    """A copy of some settings that has every path below one of ``folders`` relative to it.

    A data set and a working folder are somewhere else on every machine and in every store; the
    network's settings, and so the digest of a checkpoint, are not to differ for that. mmdet's own
    tools find the data where they are called in the data set's folder.

    Args:
        settings: dicts, lists and tuples of plain values, as ``Config.to_dict`` gives them.
        folders: absolute; the first that fits counts.
    """
    if isinstance(settings, Mapping):
        return {name: without_places(value, folders) for name, value in settings.items()}
    if isinstance(settings, list | tuple):
        return type(settings)(without_places(value, folders) for value in settings)
    if isinstance(settings, str) and settings.startswith("/"):
        for folder in folders:
            if Path(settings).is_relative_to(folder):
                return Path(settings).relative_to(folder).as_posix()
    return settings
