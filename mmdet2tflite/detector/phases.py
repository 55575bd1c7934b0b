"""The phases of a training: which data set config is in force in which epochs.

Reads a complete mmdet config as plain mappings and imports nothing of mmdet.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mmdet2tflite.errors import ConfigError

MIXING_DATASET = "MultiImageMixDataset"
SWITCHED_OFF = ("Mosaic", "RandomAffine", "MixUp")
"""What mmdet's YOLOXModeSwitchHook skips if its config does not say it."""
LAST_EPOCHS = 15
"""For how many, if its config does not say it."""


@dataclass(frozen=True)
class Phase:
    """Consecutive epochs, counted from 1, that see the same pipeline.

    Args:
        dataset: mmdet's config of the training data set in this phase.
    """

    title: str
    first_epoch: int
    last_epoch: int
    dataset: Mapping[str, Any]

    def chains(self) -> list[list[Mapping[str, Any]]]:
        """The transforms that an image of each innermost data set goes through, in order."""
        return _chains(self.dataset)


def phases(config: Mapping[str, Any]) -> list[Phase]:
    """The phases of a training, in order.

    1. Until a hook changes it, the pipeline is that of ``train_dataloader``.
    2. YOLOXModeSwitchHook skips transforms from epoch ``max_epochs - num_last_epochs`` on (mmdet
       3.3: one earlier than its name says). Where it names none of the pipeline, nothing changes.
    3. PipelineSwitchHook replaces the outermost pipeline after ``switch_epoch`` epochs.
    4. A phase without an epoch is left out.

    Raises:
        ConfigError: rule 2 on a data set that cannot skip; training would end there.
    """
    dataset, last = config["train_dataloader"]["dataset"], config["train_cfg"]["max_epochs"]
    changes = sorted(_changes(config, dataset, last), key=lambda change: change[0])
    contents = itertools.accumulate((change for *_, change in changes), _merged, initial=dataset)
    starts = [1, *(start for start, *_ in changes)]
    titles = ["at first" if changes else "throughout", *(title for _, title, _ in changes)]
    ends = [min(start - 1, last) for start in starts[1:]] + [last]
    return [
        Phase(title, start, end, content)
        for title, start, end, content in zip(titles, starts, ends, contents, strict=True)
        if start <= end  # rule 4
    ]


def _changes(
    config: Mapping[str, Any], dataset: Mapping[str, Any], last: int
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """First epoch, title, and the keys of the data set's config that change then."""
    present = [step["type"] for step in dataset.get("pipeline", ())]
    for hook in config.get("custom_hooks") or ():
        if hook["type"] == "YOLOXModeSwitchHook":  # rule 2
            start = max(1, last - hook.get("num_last_epochs", LAST_EPOCHS))
            _check_can_skip(dataset, start)
            skipped = tuple(hook.get("skip_type_keys", SWITCHED_OFF))
            if gone := [name for name in skipped if name in present]:
                yield start, f"without {', '.join(gone)}", {"skip_type_keys": skipped}
        elif hook["type"] == "PipelineSwitchHook" and hook["switch_epoch"] < last:  # rule 3
            change = {"pipeline": hook["switch_pipeline"]}
            yield hook["switch_epoch"] + 1, "switched pipeline", change


def _merged(dataset: Mapping[str, Any], change: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**dataset, **change}


def _check_can_skip(dataset: Mapping[str, Any], epoch: int) -> None:
    if dataset["type"] != MIXING_DATASET:
        raise ConfigError(
            f"YOLOXModeSwitchHook would end the training in epoch {epoch}: the training data set "
            f"is a {dataset['type']}, which cannot skip transforms",
            f"a {MIXING_DATASET} around it, as in mmdet's YOLOX configs",
            "wrap the data set, or take the hook out of custom_hooks of the detector config",
        )


def _chains(dataset: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    skipped = dataset.get("skip_type_keys") or ()
    own = [step for step in dataset.get("pipeline", ()) if step["type"] not in skipped]
    inner = [dataset["dataset"]] if "dataset" in dataset else dataset.get("datasets", ())
    below = [chain for child in inner for chain in _chains(child)] or [[]]
    return [chain + own for chain in below]
