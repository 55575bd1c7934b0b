"""A store's root that several machines share: any fsspec URL, such as ``s3://bucket/prefix``.

Rules:

1. Each attempt to make an artefact has a folder of its own, ``<stage>/<key>/<attempt>/``, which its
   manifest names and nobody writes into again: what a manifest says of its files stays true.
2. The manifest, ``<stage>/<key>/manifest.json``, is put last, and only if there is none: of two
   machines that make the same, the first one wins, and the other adopts its artefact. (A server
   without conditional puts lets the last one win: rule 1 still holds.)
3. Nothing that a server said is remembered: another machine may have written meanwhile.
4. The files are copied once to this machine, and checked.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
from fsspec.core import strip_protocol
from platformdirs import user_cache_path

from mmdet2tflite.artifacts import Artifact
from mmdet2tflite.errors import DISK_FULL, StoreError
from mmdet2tflite.files.digest import json_sha256
from mmdet2tflite.processes.lock import exclusive
from mmdet2tflite.store.leftover import DAMAGED, Leftover
from mmdet2tflite.store.manifest import (
    ATTEMPT,
    MANIFEST,
    Damaged,
    check_files,
    parse_manifest,
    seal,
    write_manifest,
)

CHECK = ".check"
"""An empty file at the root: a process that can write it can write an artefact."""


class Remote:
    """Raises StoreError for whatever a server refuses; a file that is not there is an OSError."""

    def __init__(self, url: str, fs: fsspec.AbstractFileSystem) -> None:
        self.root, self._fs = url.rstrip("/"), fs
        self.cache = user_cache_path("mmdet2tflite") / json_sha256(self.root)[:12]
        """Where the copies lie on this machine."""

    def check(self) -> None:
        """Raises StoreError if nothing can be written, before anything is made in vain."""
        self.write(CHECK, b"")

    def read(self, name: str) -> bytes:
        """Content of a file below the root. Raises FileNotFoundError."""
        with self._answering():
            return bytes(self._fs.cat_file(f"{self.root}/{name}"))

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a file, all at once."""
        try:
            with self._answering():
                self._fs.pipe_file(f"{self.root}/{name}", content)
        except FileNotFoundError as error:
            raise StoreError(
                f"{self.root}: {error}", "a bucket that exists", "make it, or correct `store`"
            ) from None

    def names(self, folder: str) -> list[str]:
        """Of the files in a folder below the root."""
        return sorted(name.split("/")[-1] for name in self._files(folder))

    def manifests(self) -> list[tuple[str, str]]:
        """Stage and key of all artefacts."""
        places = [name.split("/") for name in self._files()]
        return [(p[0], p[1]) for p in places if len(p) == 3 and p[2] == MANIFEST]

    def publish(self, work: Path, stage: str, key: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Upload a work folder, which becomes the copy on this machine.

        Returns:
            The manifest that counts: another machine's, if that was quicker.

        Raises:
            StoreError: the work folder stays as it is.
        """
        home, attempt = f"{stage}/{key}", uuid4().hex
        try:
            self._upload(work, manifest["files"], f"{home}/{attempt}")
            counts = self._put_first(f"{home}/{MANIFEST}", {**manifest, ATTEMPT: attempt})
        except StoreError as error:
            raise StoreError(
                f"{home} is made and could not be uploaded: {error.found}",
                error.expected,
                f"{error.remedy}; then run again: it is uploaded, not made again (kept in {work})",
            ) from error
        if counts[ATTEMPT] == attempt:
            with self._copy(stage, key) as folder:
                shutil.rmtree(folder, ignore_errors=True)
                work.rename(folder)
        else:
            with suppress(StoreError):  # a clean-up will find it
                self.remove_folder(f"{home}/{attempt}")
            shutil.rmtree(work)
        return counts

    def check_artefact(self, stage: str, key: str, manifest: dict[str, Any]) -> None:
        """Nothing: files are checked when they are copied, the copy when it is used (rule 4)."""

    def set_aside(self, stage: str, key: str) -> str:
        """Move an artefact's manifest to where nobody finds it; returns where that is.

        Its files are leftovers then.
        """
        name = f"{stage}/{key}/{MANIFEST}"
        with self._answering():
            self._fs.mv(f"{self.root}/{name}", f"{self.root}/{DAMAGED}/{name}")
        return f"{self.root}/{DAMAGED}/{name}"

    def fetch(self, artifact: Artifact) -> Path:
        """The artefact's copy on this machine; downloaded if there is none, or a damaged one.

        Raises:
            Damaged: what was downloaded is not what the manifest describes.
        """
        folder = self.cache / artifact.stage / artifact.key
        if _digest_in(folder) != artifact.digest:
            with self._copy(artifact.stage, artifact.key):
                if _digest_in(folder) != artifact.digest:  # nobody else fetched it meanwhile
                    shutil.rmtree(folder, ignore_errors=True)  # an earlier artefact of the key
                    self._download(artifact, folder)
        return folder

    def remove(self, artifact: Artifact) -> None:
        """Delete an artefact, its manifest first. Raises Damaged."""
        home = f"{artifact.stage}/{artifact.key}"
        attempt = self._manifest(home)[ATTEMPT]
        with self._answering():
            self._fs.rm_file(f"{self.root}/{home}/{MANIFEST}")
        self.remove_folder(f"{home}/{attempt}")
        shutil.rmtree(self.cache / artifact.stage / artifact.key, ignore_errors=True)

    def remove_folder(self, folder: str) -> None:
        """Delete all files below a folder, which is relative to the root."""
        with self._answering(), suppress(FileNotFoundError):
            self._fs.rm(f"{self.root}/{folder}", recursive=True)

    def leftovers(self, changed_before: datetime) -> list[Leftover]:
        """What attempts left that were not the first ones, or ended before their manifest.

        Args:
            changed_before: with a time zone; an upload may be under way in what changed since.
        """
        folders: dict[str, list[tuple[str, int]]] = {}
        for name, size in self._files().items():
            if len(parts := name.split("/")) > 3:
                folders.setdefault("/".join(parts[:3]), []).append((name, size))
        named = set()
        for stage, key in self.manifests():
            with suppress(FileNotFoundError, Damaged):
                named.add(f"{stage}/{key}/{self._manifest(f'{stage}/{key}')[ATTEMPT]}")
        found = [
            Leftover(folder, sum(size for _, size in files), self._changed(n for n, _ in files))
            for folder, files in folders.items()
            if folder not in named
        ]
        return [each for each in found if each.changed < changed_before]

    def _manifest(self, home: str) -> dict[str, Any]:
        return parse_manifest(self.read(f"{home}/{MANIFEST}"))

    def _put_first(self, name: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Rule 2. Returns the manifest that is there then."""
        content = json.dumps(seal(manifest), indent=1).encode()
        try:
            with self._answering():
                self._fs.pipe_file(f"{self.root}/{name}", content, mode="create")
        except StoreError:
            # Each server has its own way to say that there is one. If its answer to a put that went
            # well was lost, there is one, too: ours.
            with suppress(FileNotFoundError):
                return parse_manifest(self.read(name))
            raise
        return dict(manifest)

    def _upload(self, work: Path, names: Iterable[str], target: str) -> None:
        sources = [str(work / name) for name in names]
        targets = [f"{self.root}/{target}/{name}" for name in names]
        with self._answering():
            self._fs.put(sources, targets)

    def _download(self, artifact: Artifact, folder: Path) -> None:
        home = f"{artifact.stage}/{artifact.key}"
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as temporary:
            copy = Path(temporary) / folder.name
            copy.mkdir()
            try:
                manifest = self._manifest(home)
                source = f"{self.root}/{home}/{manifest['attempt']}"
                names = list(manifest["files"])
                with self._answering():
                    self._fs.get(
                        [f"{source}/{name}" for name in names], [str(copy / name) for name in names]
                    )
            except FileNotFoundError as error:
                raise StoreError(
                    f"{self.root}/{home}: {error} is gone",
                    "a complete artefact",
                    "run again: it is made again",
                ) from None
            if manifest["value"]["digest"] != artifact.digest:
                raise StoreError(
                    f"{self.root}/{home} is another one by now",
                    f"the artefact with the digest {artifact.digest}",
                    "run again",
                )
            check_files(copy, manifest)
            write_manifest(copy, manifest)
            copy.rename(folder)

    def _files(self, folder: str = "") -> dict[str, int]:
        """Sizes of all files below a folder, by their names relative to the root."""
        with self._answering():
            found = self._fs.find(f"{self.root}/{folder}".rstrip("/"), detail=True)
        start = len(strip_protocol(self.root)) + 1
        return {name[start:]: entry["size"] for name, entry in found.items()}

    def _changed(self, names: Iterable[str]) -> datetime:
        with self._answering():
            return max(self._fs.modified(f"{self.root}/{name}") for name in names)

    @contextmanager
    def _copy(self, stage: str, key: str) -> Iterator[Path]:
        """The folder of a copy, which nobody else on this machine changes meanwhile."""
        with exclusive(self.cache / stage / f".{key}.lock"):
            yield self.cache / stage / key

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Around every question to a server, whose errors are of as many kinds as there are."""
        try:
            yield
        except FileNotFoundError:
            raise
        except PermissionError as error:
            raise StoreError(
                f"{self.root} refuses: {error}",
                "keys that may list, read, write and delete there",
                "for S3, correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (docs/remote.md)",
            ) from error
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise  # of this machine
            raise StoreError(
                f"{self.root} cannot be used: {str(error) or type(error).__name__}",
                "a server that this machine reaches, and keys for it",
                "for S3, check AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY "
                "(docs/remote.md)",
            ) from error


def _digest_in(folder: Path) -> str | None:
    """Digest of the artefact whose copy is in a folder, complete and undamaged."""
    try:
        manifest = parse_manifest((folder / MANIFEST).read_bytes())
        check_files(folder, manifest)
    except (FileNotFoundError, Damaged):
        return None
    return str(manifest["value"]["digest"])
