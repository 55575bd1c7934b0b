"""A store's root that is a folder of this machine."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmdet2tflite.artifacts import Artifact
from mmdet2tflite.files.disk import to_disk
from mmdet2tflite.store.leftover import DAMAGED, Leftover
from mmdet2tflite.store.manifest import MANIFEST, Damaged, check_files, parse_manifest


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
        path = self.cache / name
        if path.exists() and not path.is_file():  # reading a pipe would never end
            raise IsADirectoryError(f"{path} is not a file")
        return path.read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a file, all at once. Raises OSError."""
        path = self.cache / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_bytes(content)
        to_disk(partial)
        partial.rename(path)
        to_disk(path.parent)

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
        to_disk(final.parent)
        return manifest

    def check_artefact(self, stage: str, key: str, manifest: dict[str, Any]) -> None:
        """Compare an artefact's files with its manifest. Raises Damaged, OSError."""
        check_files(self.cache / stage / key, manifest)

    def fetch(self, artifact: Artifact) -> Path:
        """The artefact's folder. Raises Damaged if its files are not those of its manifest."""
        place = self.cache / artifact.stage / artifact.key
        if place.exists():
            if not (place / MANIFEST).is_file():
                raise Damaged(f"{MANIFEST} is gone")
            manifest = parse_manifest(self.read(f"{artifact.stage}/{artifact.key}/{MANIFEST}"))
            check_files(place, manifest)
        return place

    def set_aside(self, stage: str, key: str) -> str:
        """Move an artefact to where nobody finds it; returns where that is."""
        aside = self.cache / DAMAGED / stage / key
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        (self.cache / stage / key).rename(aside)
        return str(aside)

    def leftovers(self, changed_before: datetime) -> list[Leftover]:
        """What was set aside, and what a removal that died half way left: it has no manifest.

        Args:
            changed_before: with a time zone.
        """
        folders = [path for path in self.cache.glob(f"{DAMAGED}/*/*") if path.is_dir()]
        folders += [
            path
            for path in self.cache.glob("[!.]*/*")
            if path.is_dir() and not (path / MANIFEST).exists()
        ]
        found = [
            Leftover(
                path.relative_to(self.cache).as_posix(),
                sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
                datetime.fromtimestamp(path.stat().st_ctime, UTC),
            )
            for path in sorted(folders)
        ]
        return [each for each in found if each.changed < changed_before]

    def remove_folder(self, folder: str) -> None:
        """Delete a folder, which is relative to the root."""
        shutil.rmtree(self.cache / folder)

    def remove(self, artifact: Artifact) -> None:
        """Delete an artefact, its manifest first."""
        place = self.fetch(artifact)
        (place / MANIFEST).unlink()
        shutil.rmtree(place)
