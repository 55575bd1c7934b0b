"""Small artefacts for the tests of the store, and functions that make them."""

from collections.abc import Callable
from pathlib import Path

import fsspec

from mmdet2tflite.artifacts import Artifact, Report
from mmdet2tflite.store.manifest import LOGS, MANIFEST, describe_files, write_manifest
from mmdet2tflite.store.store import Store


def report(runtime: str = "onnx", **metrics: float) -> Report:
    return Report(runtime=runtime, variant="explicit", model="m", metrics=metrics)


def writes(content: str, name: str = "file.txt", value: Report | None = None) -> Callable:
    def make(work: Path) -> Report:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(content)
        return value or report()

    return make


def writes_several(work: Path) -> Report:
    """A model, a file in a folder, an empty one and a log."""
    (work / "saved_model").mkdir(exist_ok=True)
    (work / "model.tflite").write_bytes(bytes(range(256)))
    (work / "saved_model" / "variables.data").write_bytes(b"weights")
    (work / "empty.txt").touch()
    (work / LOGS / "tool.log").write_text("a line")
    return report(mAP=0.3721)


def never(work: Path) -> Artifact:
    raise AssertionError("made although it is there")


def build(store: Store, make: Callable, key: str = "key", **options: object) -> Artifact:
    return store.build("stage", key, make, origin={"asked": "for"}, **options)


def change(store: Store, artifact: Artifact, how: Callable[[Path], object]) -> None:
    """Let an artefact have been made otherwise: change its files, and its manifest with them."""
    folder, manifest = store.path(artifact), store.manifest(artifact)
    (folder / MANIFEST).unlink()
    how(folder)
    write_manifest(folder, {**manifest, "files": describe_files(folder)})


def files(end: str = "") -> list[str]:
    """Of all remote stores of a test: those whose path ends so."""
    return [path for path in fsspec.filesystem("memory").store if path.endswith(end)]
