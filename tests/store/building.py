"""Small artefacts for the tests of the store, and functions that make them."""

from collections.abc import Callable
from pathlib import Path

import fsspec

from mmdet2tflite.artifacts import Artifact, Report
from mmdet2tflite.store import Store


def report(runtime: str = "onnx", **metrics: float) -> Report:
    return Report(runtime=runtime, variant="explicit", model="m", metrics=metrics)


def writes(content: str, name: str = "file.txt", value: Report | None = None) -> Callable:
    def make(work: Path) -> Report:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(content)
        return value or report()

    return make


def never(work: Path) -> Artifact:
    raise AssertionError("made although it is there")


def build(store: Store, make: Callable, key: str = "key", **options: object) -> Artifact:
    return store.build("stage", key, make, origin={"asked": "for"}, **options)


def files(end: str = "") -> list[str]:
    """Of all remote stores of a test: those whose path ends so."""
    return [path for path in fsspec.filesystem("memory").store if path.endswith(end)]
