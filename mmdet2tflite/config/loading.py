"""Reads an experiment from YAML with ``dotted.key=value`` overrides; every mistake is explained."""

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.files.regular_file import read_user_text
from mmdet2tflite.files.yaml_file import LONGEST, read_yaml
from mmdet2tflite.safe_text import shortened

LONGEST_PART, LONGEST_PATH = 255, 4000
"""Bytes that Linux's file systems take, with some room for what comes behind."""


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read, override and check an experiment.

    Args:
        path: a YAML file.
        overrides: ``dotted.key=value``, the value in YAML syntax (``training.epochs=3``).

    Raises:
        ConfigError: no such file, not YAML, an unknown key (with the nearest known one) or a value
            that does not fit.
    """
    return override_experiment(_read_settings(path), overrides, origin=str(path))


def override_experiment(
    values: dict[str, Any], overrides: Sequence[str], origin: str
) -> Experiment:
    """As ``load_experiment``, of settings that stand in no file; ``values`` are changed."""
    for override in overrides:
        _apply(values, override)
    return parse_experiment(values, origin)


def parse_experiment(values: Mapping[str, Any], origin: str = "experiment") -> Experiment:
    """Check a mapping against the experiment's schema. Raises ConfigError."""
    try:
        experiment = Experiment.model_validate(values)
    except ValidationError as error:
        problems = [_explain(item) for item in error.errors() if not _is_of_another_member(item)]
        raise ConfigError(
            f"{origin}: " + "\n    ".join(problems),
            "the keys and values described in mmdet2tflite/config/experiment.py and dataset.py",
            "correct the file or the --set override named above; --set KEY=null takes what the "
            "file says back",
        ) from None
    _check_paths(experiment, origin)
    return experiment


def _check_paths(section: BaseModel, origin: str) -> None:
    """Raises ConfigError for a path, or a part of one, that no file system takes."""
    for key, value in section:
        if isinstance(value, BaseModel):
            _check_paths(value, origin)
        for path in value if isinstance(value, tuple) else (value,):
            text = str(path) if isinstance(path, Path) or key == "store" else ""
            longest = max(len(os.fsencode(part)) for part in text.split("/"))
            if longest > LONGEST_PART or len(os.fsencode(text)) > LONGEST_PATH:
                raise ConfigError(
                    f"{origin}: '{key}': {shortened(text)} is too long for a path",
                    f"{LONGEST_PATH} bytes, {LONGEST_PART} between two slashes",
                    "shorten it in the file or the --set override",
                )


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        values = read_yaml(read_user_text(path, LONGEST))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no experiment file {path}",
            "a YAML file such as configs/experiments/digits.yaml",
            "check the path",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", "a YAML file", "check the path"
        ) from None
    except ValueError as error:  # no UTF-8, no YAML, or more of it than is read
        raise ConfigError(
            f"{path} cannot be read: {error}", "a plain YAML file", "correct it there"
        ) from None
    if not isinstance(values, dict):
        what = "nothing" if values is None else type(values).__name__
        raise ConfigError(
            f"{path} holds {what}",
            "a mapping of settings",
            "start from configs/experiments/digits.yaml",
        )
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
        value = read_yaml(text)
    except ValueError as error:
        raise ConfigError(
            f"--set {shortened(key)}: {shortened(text)!r} is not YAML ({error})", "a YAML value"
        ) from None
    if value is None and last in node:
        del node[last]  # as if the file did not name it; no setting has a default besides null
    else:
        node[last] = value


def _explain(item: ErrorDetails) -> str:
    if item["type"] == "extra_forbidden":
        *parents, unknown = item["loc"]
        keys, models = _enter(parents)
        known = sorted({name for model in models for name in model.model_fields})
        near = difflib.get_close_matches(str(unknown), known, n=1, cutoff=0.0)
        suggestion = f"; the nearest known key is '{near[0]}'" if near else ""
        return f"unknown key '{shortened('.'.join([*keys, str(unknown)]))}'{suggestion}"
    key = ".".join(_enter(item["loc"])[0])
    if item["type"] == "missing":
        return f"'{key}' is missing"
    message = item["msg"].removeprefix("Value error, ")
    if key and isinstance(item["input"], Mapping):  # of a section: the message names the setting
        return f"'{key}': {message}"
    return f"'{key}': {message} (found {shortened(repr(item['input']))})" if key else message


def _is_of_another_member(item: ErrorDetails) -> bool:
    """A section where a union also allows a word: what is wrong in the section is said already."""
    is_word = bool(item["loc"]) and str(item["loc"][-1]).startswith("literal[")
    return is_word and isinstance(item["input"], Mapping)


def _enter(location: Iterable[int | str]) -> tuple[list[str], list[type[BaseModel]]]:
    """The keys of ``location`` as they stand in the file, and the models that it leads to.

    Pydantic's location also holds the member of a union that was tried (``coco``, or
    ``function-after[_has_an_effect(), Augmentation]``); that selects the model and is no key.
    """
    keys: list[str] = []
    models: list[type[BaseModel]] = [Experiment]
    for part in location:
        member = str(part).rpartition(" ")[2].rstrip("]")
        fields = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        if fields:
            models = list(_models_in(fields))
            keys.append(str(part))
        elif isinstance(part, int):
            keys.append(str(part))
        else:
            models = [model for model in models if member in _union_labels(model)]
    return keys, models


def _union_labels(model: type[BaseModel]) -> set[str]:
    kind = model.model_fields.get("kind")
    return {model.__name__, *(get_args(kind.annotation) if kind else ())}


def _models_in(annotations: Iterable[Any]) -> Iterable[type[BaseModel]]:
    for annotation in annotations:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation
        else:
            yield from _models_in(get_args(annotation))
