"""An experiment as ``init`` proposes it: settings with their reasons, as a commented YAML."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from mmdet2tflite.data.discovery import proposals
from mmdet2tflite.data.discovery.inspection import Inspected
from mmdet2tflite.data.discovery.proposals import Machine, Setting
from mmdet2tflite.data.problems import MENDS

COMMENT_COLUMN = 44
"""Where comments begin, behind shorter lines."""

type Draft = dict[str, Setting | dict[str, Any]]
"""Nested as the YAML is; each leaf is a Setting."""

FORMATS = {"coco": "COCO", "voc": "Pascal VOC", "yolo": "YOLO", "dota": "DOTA"}


def propose(found: Inspected, machine: Machine, answers: Mapping[str, Any]) -> dict[str, Setting]:
    """The settings that hang on the data set, with their reasons.

    Args:
        answers: some of ``classes``, ``val``, ``input_size``, ``detector`` and ``epochs`` that a
            user chose; the others follow from them.

    Returns:
        All of these but ``val`` of a data set that has a split, and ``batch_size``.
    """

    def choice(name: str, proposed: Setting) -> Setting:
        return Setting(answers[name], "chosen") if name in answers else proposed

    every = "all that were found; leave out what is not to be learnt"
    result = {"classes": choice("classes", Setting(found.settings["classes"], every))}
    facts = found.facts.of(result["classes"].value)
    if "split" in found.settings:
        share = Setting(found.settings["split"]["val"], "the usual share of the pictures")
        result["val"] = choice("val", share)
        pictures = sum(found.pictures.values())
        facts = replace(facts, train=pictures - round(pictures * result["val"].value))
    network, why = proposals.detector(facts)
    result["detector"] = choice("detector", Setting(str(network.config), why))
    network = proposals.network_of(result["detector"].value)
    size = result["input_size"] = choice("input_size", proposals.input_size(facts))
    batch = proposals.batch_size(facts, size.value, network, machine)
    epochs = proposals.epochs(facts, size.value, batch.value, network, machine)
    return result | {"batch_size": batch, "epochs": choice("epochs", epochs)}


def draft(name: str, found: Inspected, proposed: Mapping[str, Setting]) -> Draft:
    """The whole experiment; ``proposed`` is what ``propose`` gives."""
    epochs = proposed["epochs"].value
    augmentation: dict[str, Any] = {
        "mosaic": Setting(True, "four pictures in one; helps small data sets most"),
        "plain_epochs": Setting(epochs // 4, "the last quarter, on whole pictures"),
    }
    if found.facts.oriented:
        augmentation = {
            "mosaic": Setting(False, "as in configs/experiments/rotated_digits.yaml"),
            "rotate": Setting(180, "what is seen from above lies at any angle"),
        }
    return {
        "name": Setting(name, "of folders, and in MLflow"),
        "dataset": _dataset(found, proposed),
        "detector": {"config": proposed["detector"], "input_size": proposed["input_size"]},
        "training": {
            "epochs": proposed["epochs"],
            "batch_size": proposed["batch_size"],
            "val_interval": Setting(max(1, epochs // 6), "about six times in all"),
            "ema_momentum": Setting(0.005, "averages 200 iterations, for a short training"),
            "augmentation": augmentation,
        },
        "variants": {
            "padding": Setting(["auto"], "the cheapest exact way (docs/padding.md)"),
            "precisions": Setting(["float32", "int8"], "docs/quantisation.md"),
        },
    }


def _dataset(found: Inspected, proposed: Mapping[str, Setting]) -> dict[str, Any]:
    values = dict(found.settings)
    result: dict[str, Any] = {"kind": Setting(values["kind"], FORMATS[values["kind"]])}
    whys = {
        "root": "folder that the paths below are relative to",
        "data": "names of the classes, and where pictures are",
        "allowed_folders": "where pictures and labels lie",
        "train": "where to learn from",
        "val": "where to validate",
        "first_pixel": _first_pixel(values.get("first_pixel")),
    }
    for key, why in whys.items():
        if key in values:
            result[key] = Setting(_plain(values[key]), why)
    if "split" in values:
        result["split"] = {"val": proposed["val"], **_split(values["split"], found)}
    result["classes"] = proposed["classes"]
    if "fix" in values:
        mends = "; ".join(f"{found.problems[kind]} {kind}: {MENDS[kind]}" for kind in values["fix"])
        result["fix"] = Setting(list(values["fix"]), mends)
    return result


def _first_pixel(number: int | None) -> str:
    if number == 0:
        return "a corner is at 0, which counts from there"
    return "no corner is at 0; set 0 if your tool writes the edges of boxes (docs/datasets.md)"


def _split(split: Mapping[str, Any], found: Inspected) -> dict[str, Setting]:
    if split["by"] == "group":
        number = len(found.groups)
        what = "1 group" if number == 1 else f"{number:,} groups"
        why = f"keeps what looks alike together: {what}, of up to {max(found.groups):,} pictures"
    elif found.groups:
        why = "most pictures look alike: kept together, they could not be divided"
    else:
        why = "no two pictures look alike, and none are frames of a video"
    return {
        "by": Setting(split["by"], why),
        "seed": Setting(0, "another one gives another split"),
    }


def _plain(value: Any) -> Any:
    """Paths as texts."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def values_of(made: Draft) -> dict[str, Any]:
    """The settings without their reasons."""
    return {
        key: each.value if isinstance(each, Setting) else values_of(each)
        for key, each in made.items()
    }


def as_yaml(made: Draft, heading: Sequence[str]) -> str:
    """A YAML with the reason beside each line. ``heading``: comments above it."""
    lines = [f"# {line}" for line in heading]
    for key, each in made.items():
        if not isinstance(each, Setting):
            lines.append("")
        lines += _lines(key, each, 0)
    return "\n".join(lines) + "\n"


def _lines(key: str, each: Setting | dict[str, Any], depth: int) -> list[str]:
    indent = "  " * depth
    if isinstance(each, Setting):
        text = f"{indent}{key}: {_flow(each.value)}"
        return [f"{text:<{COMMENT_COLUMN}}  # {' '.join(each.why.split())}"]
    lines = [f"{indent}{key}:"]
    for name, inner in each.items():
        lines += _lines(name, inner, depth + 1)
    return lines


def _flow(value: Any) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")
