"""The content-addressed store: an artefact is ``<root>/<stage>/<key>``, its manifest written last.

Rules:

1. A stage writes into ``<work>/<stage>/<key>/``, a local folder that nobody else reads.
2. A file lock per key makes a second process of this machine wait and then find the first one's
   result; of two machines that made the same, the second one adopts the first one's.
3. When the stage has returned, the manifest is added and the artefact appears at once: by a rename
   on a local root (``folder.py``), by an upload with the manifest last on a remote one
   (``remote.py``).
4. A manifest's existence means complete; no reader looks at an artefact without one.
5. The work folder of a stage that failed stays for its log and ``reproduce.sh``; only a resumable
   stage finds it again, every other starts with an empty one.
6. What is in a work folder complete with its manifest, and could not be published, is published by
   the next run.
"""

import errno
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec

from mmdet2tflite.artifacts import KINDS, Artifact
from mmdet2tflite.digest import json_sha256
from mmdet2tflite.errors import DISK_FULL, StoreError, disk_full
from mmdet2tflite.folder import Folder
from mmdet2tflite.lock import exclusive
from mmdet2tflite.manifest import MANIFEST, describe_files, sealed, write_manifest
from mmdet2tflite.remote import Leftover, Remote

LOGS = "log"
"""Sub-folder of an artefact for what does not define it: logs, curves, reproduce.sh."""
LAST = "last"
"""Sub-folder of the root with a file for each name that ``Store.remember`` was told."""
REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


class Store:
    """An artefact store at a folder or any fsspec URL (``s3://bucket/prefix``)."""

    def __init__(self, root: str | Path) -> None:
        """Raises StoreError if no program here knows what a URL begins with."""
        self._place = _place(str(root))
        self.root, self._cache = self._place.root, self._place.cache
        self.work = self._cache / ".work"

    def check(self) -> None:
        """Raises StoreError if a remote root cannot be written: no server, no bucket, no key."""
        self._place.check()

    def find(self, stage: str, key: str) -> Artifact | None:
        """The finished artefact, or None."""
        try:
            return _value(json.loads(self._place.read(f"{stage}/{key}/{MANIFEST}")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError) as error:
            raise StoreError(
                f"{stage}/{key}/{MANIFEST} cannot be read: {error}",
                "a manifest that this version wrote",
                f"delete {self.root}/{stage}/{key} and run again",
            ) from None

    def remember(self, name: str, artifact: Artifact) -> None:
        """Let ``recall(name)`` find an artefact, in place of the one that it found before."""
        with _disk_errors(self._cache):
            self._place.write(f"{LAST}/{name}", f"{artifact.stage}/{artifact.key}".encode())

    def recall(self, name: str) -> Artifact | None:
        """What was last remembered by a name; None if nothing was, or if it is gone."""
        try:
            stage, key = self._place.read(f"{LAST}/{name}").decode().split("/")
        except FileNotFoundError:
            return None
        return self.find(stage, key)

    def remembered(self) -> list[str]:
        """The names that something was remembered by."""
        return self._place.names(LAST)

    def manifest(self, artifact: Artifact) -> dict[str, Any]:
        """All that is known about how an artefact came about. Raises StoreError if it is gone."""
        name = f"{artifact.stage}/{artifact.key}/{MANIFEST}"
        try:
            return dict(json.loads(self._place.read(name)))
        except FileNotFoundError:
            raise StoreError(
                f"{self.root}/{name} is gone", "a complete artefact", "run again"
            ) from None

    def path(self, artifact: Artifact, name: str = "") -> Path:
        """Local path of an artefact's file (or folder, without a name); fetched once if remote."""
        with _disk_errors(self._cache):
            folder = self._place.fetch(artifact)
        path = folder / name
        if not path.exists():
            raise StoreError(
                f"{path} is gone", "a complete artefact", f"delete {folder} and run again"
            )
        return path

    def finished(self) -> list[Artifact]:
        """All artefacts."""
        found = (self.find(stage, key) for stage, key in self._place.manifests())
        return [artifact for artifact in found if artifact is not None]

    def remove(self, artifact: Artifact) -> None:
        """Delete an artefact, its manifest first: rule 4. It may be gone already."""
        lock = self._lock(artifact.stage, artifact.key)
        with exclusive(lock), suppress(FileNotFoundError):
            self._place.remove(artifact)

    def leftovers(self, changed_before: datetime) -> list[Leftover]:
        """What ended before it was an artefact, on a remote root; nobody finds it.

        On a local root all work is below ``work``, and replaced by the next attempt.

        Args:
            changed_before: with a time zone; an upload may be under way in what changed since.
        """
        return self._place.leftovers(changed_before) if isinstance(self._place, Remote) else []

    def remove_leftover(self, leftover: Leftover) -> None:
        """Delete it."""
        assert isinstance(self._place, Remote)
        self._place.remove_folder(leftover.folder)

    def build(
        self,
        stage: str,
        key: str,
        make: Callable[[Path], Artifact],
        *,
        origin: Mapping[str, Any],
        resumable: bool = False,
        on_wait: Callable[[], None] = lambda: None,
    ) -> Artifact:
        """Return the artefact of ``key``, made by ``make(work folder)`` if it does not exist yet.

        Args:
            origin: what the key was made of; goes into the manifest.
            resumable: ``make`` may find the files of an earlier, interrupted attempt.
            on_wait: called once if another process is making the same artefact.

        Raises:
            StoreError: the disk is full or the root cannot be written.
        """
        with _disk_errors(self._cache):
            work = self.work / stage / key
            with exclusive(self._lock(stage, key), on_wait):
                found = self.find(stage, key)
                if found is not None:
                    return found
                manifest = sealed(work)
                if manifest is None:
                    self.check()
                    if not resumable:
                        shutil.rmtree(work, ignore_errors=True)
                    (work / LOGS).mkdir(parents=True, exist_ok=True)
                    started = time.monotonic()
                    artifact = make(work)
                    manifest = _seal(work, stage, key, artifact, origin, started)
                return _value(self._place.publish(work, stage, key, manifest))

    def _lock(self, stage: str, key: str) -> Path:
        return self.work / stage / f"{key}.lock"


def _place(root: str) -> Folder | Remote:
    try:
        # What another machine writes must be seen at once.
        fs, path = fsspec.core.url_to_fs(root, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise StoreError(
            f"the store {root!r} cannot be opened: {error}",
            "a folder, or a URL such as s3://bucket/prefix",
            "correct `store`, or install what the message names",
        ) from None
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return Folder(path) if "file" in protocols else Remote(root, fs)


def _value(manifest: Mapping[str, Any]) -> Artifact:
    """Raises KeyError or ValueError for a manifest of another version."""
    value = manifest["value"]
    return KINDS[value["kind"]].model_validate(value)


def _seal(
    work: Path,
    stage: str,
    key: str,
    artifact: Artifact,
    origin: Mapping[str, Any],
    started: float,
) -> dict[str, Any]:
    files = describe_files(work)
    payload = {name: file["sha256"] for name, file in files.items() if not _is_log(name)}
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


def _is_log(name: str) -> bool:
    return name.startswith(f"{LOGS}/")


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise disk_full(folder) from error
        # A stage reads from many places: only what lies in the store is the store's problem.
        if error.errno in REFUSALS and str(error.filename).startswith(str(folder)):
            raise StoreError(
                f"{error.filename} cannot be written: {error.strerror}",
                "a folder that this user may write to",
                "correct its permissions, or set `store` to another folder",
            ) from error
        raise
