"""A store's root that is a folder of this machine."""

import os
import shutil
from pathlib import Path
from typing import Any

from mmdet2tflite.artifacts import Artifact
from mmdet2tflite.manifest import MANIFEST


class Folder:
    """``<root>/<stage>/<key>/`` holds an artefact's files and its manifest."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.cache = Path(root)
        """Where the artefacts lie on this machine: here, the store itself."""

    def check(self) -> None:
        """Nothing: writing into its work folder, below the root, shows what is wrong."""

    def read(self, name: str) -> bytes:
        """Content of a file below the root. Raises OSError."""
        return (self.cache / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a file, all at once. Raises OSError."""
        path = self.cache / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_bytes(content)
        partial.rename(path)

    def names(self, folder: str) -> list[str]:
        """Of the files in a folder below the root."""
        return sorted(path.name for path in (self.cache / folder).glob("[!.]*"))

    def manifests(self) -> list[tuple[str, str]]:
        """Stage and key of all artefacts."""
        found = sorted(self.cache.glob(f"[!.]*/*/{MANIFEST}"))
        return [(path.parts[-3], path.parts[-2]) for path in found]

    def publish(self, work: Path, stage: str, key: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Let a work folder appear as the artefact, by a rename."""
        final = self.cache / stage / key
        final.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(final, ignore_errors=True)  # no manifest in it
        work.rename(final)
        return manifest

    def fetch(self, artifact: Artifact) -> Path:
        """The artefact's folder."""
        return self.cache / artifact.stage / artifact.key

    def remove(self, artifact: Artifact) -> None:
        """Delete an artefact, its manifest first."""
        place = self.fetch(artifact)
        (place / MANIFEST).unlink()
        shutil.rmtree(place)
