"""``manifest.json``: all that is known of a finished artefact; its existence means complete."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdet2tflite.digest import file_sha256

MANIFEST = "manifest.json"
PARTIAL_MANIFEST = f".{MANIFEST}.partial"


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


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write it all at once, after every other file."""
    partial = folder / PARTIAL_MANIFEST
    with partial.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(folder / MANIFEST)


def sealed(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder that holds exactly what it says; else None, and it is gone."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        manifest = None
    for name in (MANIFEST, PARTIAL_MANIFEST):
        (folder / name).unlink(missing_ok=True)
    if manifest is None or manifest["files"] != describe_files(folder):
        return None
    write_manifest(folder, manifest)
    return dict(manifest)
