"""Reads an experiment from YAML with ``dotted.key=value`` overrides; every mistake is explained."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from mmdet2tflite.config import Experiment
from mmdet2tflite.errors import ConfigError


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read, override and check an experiment.

    Args:
        path: a YAML file.
        overrides: ``dotted.key=value``, the value in YAML syntax (``training.epochs=3``).

    Raises:
        ConfigError: no such file, not YAML, an unknown key (with the nearest known one) or a value
            that does not fit.
    """
    values = _read_yaml(path)
    for override in overrides:
        _apply(values, override)
    return parse_experiment(values, origin=str(path))


def parse_experiment(values: Mapping[str, Any], origin: str = "experiment") -> Experiment:
    """Check a mapping against the experiment's schema. Raises ConfigError."""
    try:
        return Experiment.model_validate(values)
    except ValidationError as error:
        problems = [_explain(item) for item in error.errors()]
        raise ConfigError(
            f"{origin}: " + "\n    ".join(problems),
            "the keys and values described in mmdet2tflite/config.py",
            "correct the file or the --set override named above",
        ) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no experiment file {path}",
            "a YAML file such as configs/experiments/digits.yaml",
            "check the path",
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "a YAML file") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds {type(values).__name__}", "a mapping of settings")
    return values


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(
            f"--set {override!r}", "dotted.key=value", "for example --set training.epochs=3"
        )
    *parents, last = key.strip().split(".")
    node = values
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            child = node[parent] = {}
        node = child
    try:
        node[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {key}: {text!r} is not YAML ({error})", "a YAML value") from None


def _explain(item: Mapping[str, Any]) -> str:
    location = [str(part) for part in item["loc"]]
    key = ".".join(location)
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(location[-1], _siblings(location), n=1, cutoff=0.0)
        return f"unknown key '{key}'" + (f"; the nearest known key is '{near[0]}'" if near else "")
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "missing":
        return f"'{key}' is missing"
    return f"'{key}': {message} (found {item['input']!r})" if key else message


def _siblings(location: Sequence[str]) -> list[str]:
    """Known keys beside ``location``; a union's tag or class in the path selects its member."""
    models: list[type[BaseModel]] = [Experiment]
    for part in location[:-1]:
        fields = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        # A part that is no field is a union's tag (``coco``): the candidates stay the same.
        if fields:
            models = list(_models_in(fields))
    return sorted({name for model in models for name in model.model_fields})


def _models_in(annotations: Iterable[Any]) -> Iterable[type[BaseModel]]:
    for annotation in annotations:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation
        else:
            yield from _models_in(get_args(annotation))
