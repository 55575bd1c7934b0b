"""``mmdet2tflite init``: an experiment for a folder with pictures and annotations."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from mmdet2tflite.cli.draft import as_yaml, draft, propose, values_of
from mmdet2tflite.cli.init_page import print_found, print_next, print_proposals
from mmdet2tflite.cli.questions import ask, check_terminal
from mmdet2tflite.config.loading import parse_experiment
from mmdet2tflite.config.names import DataFormat
from mmdet2tflite.config.project import project_root
from mmdet2tflite.data.discovery.discover import discover
from mmdet2tflite.data.discovery.inspection import inspect_dataset
from mmdet2tflite.data.discovery.proposals import Machine, Setting
from mmdet2tflite.data.discovery.settings import dataset_settings, yolo_description
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.processes.machine import cores
from mmdet2tflite.processes.memory import bound
from mmdet2tflite.report.terminal import progress_bar

NO_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
LONGEST_NAME = 100


def init_experiment(
    folder: Path, out: Path | None, kind: DataFormat | None, *, edit: bool, force: bool
) -> None:
    """The command: finds, counts, proposes, asks, writes. Raises UserError."""
    if edit:
        check_terminal()
    folder = Path(os.path.abspath(folder.expanduser()))
    out = Path(os.path.abspath(out or f"{_name(folder.name)}.yaml"))
    description = out.with_suffix(".data.yaml")
    found = discover(folder, kind)
    described = yolo_description(found)
    _check_free([out, *([description] if described else [])], force=force)

    with tempfile.TemporaryDirectory(prefix="mmdet2tflite-init-") as work:
        seen_at = Path(work, description.name)  # where labels have no YAML, one is written later
        if described:
            _write(seen_at, _yaml(described))
        with progress_bar("look") as on_progress:
            given = dataset_settings(found, seen_at)
            inspected = inspect_dataset(given, found.needs_split, on_progress)
    print_found(found, inspected)
    proposed = partial(propose, inspected, _machine())
    made = draft(_name(out.stem), inspected, proposed(ask(proposed) if edit else {}))
    made["dataset"] = _with_paths(made["dataset"], dataset_settings(found, description))
    parse_experiment(values_of(made), origin=str(out))
    print_proposals(made)
    if described:
        _write(description, _yaml(described))
    heading = (
        f"Written by `mmdet2tflite init {folder}`. Every setting and its default:",
        "mmdet2tflite/config/experiment.py and dataset.py; data sets: docs/datasets.md.",
    )
    _write(out, as_yaml(made, heading))
    print_next(out)


def _name(text: str) -> str:
    """A text as the name of an experiment may be."""
    return NO_NAME.sub("-", text).strip("-._")[:LONGEST_NAME] or "mine"


def _machine() -> Machine:
    """This one. A GPU is there where NVIDIA's tool is: importing torch would take seconds."""
    return Machine(cores(), bound(), gpu=shutil.which("nvidia-smi") is not None)


def _with_paths(section: Any, settings: Mapping[str, Any]) -> Any:
    """Paths as they are to be written: relative to the project where they lie in it."""
    changed = dict(section)
    for key in ("root", "data"):
        if key in settings:
            changed[key] = Setting(_portable(settings[key]), section[key].why)
    if "allowed_folders" in settings:
        folders = [_portable(folder) for folder in settings["allowed_folders"]]
        changed["allowed_folders"] = Setting(folders, section["allowed_folders"].why)
    return changed


def _portable(path: Path) -> str:
    try:
        root = project_root()
    except ConfigError:  # only the library is installed
        return str(path)
    inside = path.is_relative_to(root) and path != root
    return str(path.relative_to(root)) if inside else str(path)


def _check_free(files: list[Path], *, force: bool) -> None:
    for file in files:
        if file.is_dir() or (os.path.lexists(file) and not force):
            raise ConfigError(
                f"{file} is there already", "a new file", "name another one: -o FILE; or --force"
            )
        if not file.parent.is_dir():
            raise ConfigError(f"there is no folder {file.parent}", "one for the file", "make it")


def _yaml(values: Mapping[str, Any]) -> str:
    heading = "# Where the labels' pictures are, as YOLO's tools write it; by mmdet2tflite init.\n"
    return heading + yaml.safe_dump(dict(values), allow_unicode=True, sort_keys=False)


def _write(path: Path, text: str) -> None:
    """By an atomic rename. Raises ConfigError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ConfigError(
            f"cannot write {path}: {error.strerror}", "a place for the file", "change -o"
        ) from None
