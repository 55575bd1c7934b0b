"""Parts of mmdet configs as plain mappings."""

from typing import Any


def plain(*steps: str | dict[str, Any]) -> dict[str, Any]:
    """A data set with these transforms."""
    return {"type": "CocoDataset", "pipeline": [_step(step) for step in steps]}


def mixed(*steps: str | dict[str, Any]) -> dict[str, Any]:
    """A data set that loads, inside one that mixes images with these transforms."""
    inner = plain("LoadImageFromFile")
    return {**plain(*steps), "type": "MultiImageMixDataset", "dataset": inner}


def config(dataset: dict[str, Any], *hooks: dict[str, Any], epochs: int = 60) -> dict[str, Any]:
    """What ``phases`` reads of a config."""
    return {
        "train_dataloader": {"dataset": dataset},
        "train_cfg": {"max_epochs": epochs},
        "custom_hooks": list(hooks),
    }


def _step(step: str | dict[str, Any]) -> dict[str, Any]:
    return {"type": step} if isinstance(step, str) else step
