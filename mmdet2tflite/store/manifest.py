"""``manifest.json``: all that is known of a finished artefact; its existence means complete.

Rules:

1. It is written last and all at once, when every other file is on the disk for good.
2. Its ``seal`` is the digest of all else that it says: a manifest that somebody or something
   changed is known from its text alone. Those of earlier versions have no seal and nothing but
   ``FIELDS``.
3. It has digest and size of every file: what changed is known without another copy.
"""

import json
import stat
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from mmdet2tflite.artifacts import Artifact
from mmdet2tflite.files.digest import file_sha256, json_sha256
from mmdet2tflite.files.disk import to_disk

LOGS = "log"
"""Sub-folder of an artefact for what does not define it: logs, curves, reproduce.sh."""
MANIFEST = "manifest.json"
PARTIAL_MANIFEST = f".{MANIFEST}.partial"
FIELDS = frozenset({"created", "seconds", "origin", "value", "files"})
ATTEMPT = "attempt"
"""Where several machines share a store: the sub-folder that the files are in."""
SEAL = "seal"

_whole: dict[Path, Any] = {}
"""Of the folders whose digests were compared by this process: sizes and times of their files."""


class Damaged(ValueError):
    """A manifest, or a file that it describes, is not what was written: the text says which."""


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Digest and size of every file below a folder, by its name relative to that."""
    return {
        path.relative_to(folder).as_posix(): {
            "sha256": file_sha256(path),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def finish_artifact(
    work: Path,
    stage: str,
    key: str,
    artifact: Artifact,
    origin: Mapping[str, Any],
    started: float,
) -> dict[str, Any]:
    """Write the manifest of what a stage has made into its work folder.

    Args:
        artifact: what the stage returned; stage, key and digest are filled in.
        origin: what the key was made of.
        started: when, by the monotonic clock.
    """
    files = describe_files(work)
    payload = {n: file["sha256"] for n, file in files.items() if not n.startswith(f"{LOGS}/")}
    digest = json_sha256({"value": artifact.identity(), "files": payload})
    artifact = artifact.model_copy(update={"stage": stage, "key": key, "digest": digest})
    manifest = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 3),
        "origin": dict(origin),
        "value": artifact.model_dump(mode="json"),
        "files": files,
    }
    write_manifest(work, manifest)
    return manifest


def parse_manifest(content: bytes) -> dict[str, Any]:
    """Rule 2. Raises Damaged."""
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{MANIFEST} is no JSON ({type(error).__name__})") from None
    if not isinstance(manifest, dict):
        raise Damaged(f"{MANIFEST} is no JSON object")
    said = {name: value for name, value in manifest.items() if name != SEAL}
    if said.keys() - {ATTEMPT} != FIELDS:
        odd = ", ".join(sorted((said.keys() - {ATTEMPT}) ^ FIELDS)[:3])
        raise Damaged(f"{MANIFEST} has other fields than it should: {odd!a}")
    if SEAL in manifest and manifest[SEAL] != json_sha256(said):
        raise Damaged(f"{MANIFEST} was changed after it had been written")
    try:
        datetime.fromisoformat(said["created"])
        _check_fields(said)
    except (TypeError, ValueError, KeyError, AttributeError):
        raise Damaged(f"{MANIFEST} contradicts itself") from None
    return said


def _check_fields(manifest: Mapping[str, Any]) -> None:
    """What a manifest without a seal could have wrong, and a name that leads out of the folder."""
    for name, file in manifest["files"].items():
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or len(file["sha256"]) != 64:
            raise ValueError
        int(file["bytes"])
    if len(manifest["value"]["digest"]) != 64 or not isinstance(manifest["origin"], dict):
        raise ValueError


def check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Rule 3: compare digests, once per process as long as sizes and times stay as they are.

    Raises:
        Damaged: a file is gone or another one.
        OSError: a file cannot be read.
    """
    found = {name: _signature(folder / name) for name in manifest["files"]}
    if _whole.get(folder) == (manifest["value"]["digest"], found):
        return
    for name, file in manifest["files"].items():
        if found[name] is None:
            raise Damaged(f"{name} is gone")
        if found[name][0] != file["bytes"]:
            raise Damaged(f"{name} has {found[name][0]} bytes and had {file['bytes']}")
        if file_sha256(folder / name) != file["sha256"]:
            raise Damaged(f"{name} is not the file that its manifest describes")
    _whole[folder] = (manifest["value"]["digest"], found)


def _signature(path: Path) -> Any:
    """What changes with a file's content; None if it is no file (any more)."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_size, found.st_ctime_ns, found.st_mtime_ns, found.st_ino


def seal(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest as it is written: rule 2."""
    said = {name: value for name, value in manifest.items() if name != SEAL}
    as_read = json.loads(json.dumps(said))
    return {**as_read, SEAL: json_sha256(as_read)}


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Rule 1."""
    for path in folder.rglob("*"):
        to_disk(path)
    partial = folder / PARTIAL_MANIFEST
    partial.write_text(json.dumps(seal(manifest), indent=1), encoding="utf-8")
    to_disk(partial)
    partial.rename(folder / MANIFEST)
    to_disk(folder)


def sealed(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder that holds exactly what it says; else None, and it is gone."""
    try:
        manifest = parse_manifest((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, Damaged):
        manifest = None
    for name in (MANIFEST, PARTIAL_MANIFEST):
        (folder / name).unlink(missing_ok=True)
    if manifest is None or manifest["files"] != describe_files(folder):
        return None
    write_manifest(folder, manifest)
    return manifest
