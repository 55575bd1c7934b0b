"""The content-addressed store: ``<root>/<stage>/<key>/`` with a manifest that is written last.

Rules:

1. A stage writes into ``<work>/<stage>/<key>/``, a local folder that nobody else reads.
2. A file lock per key makes a second process wait and then find the first one's result.
3. When the stage has returned, the manifest is added and the folder appears in the store at once:
   by a rename on a local root, by an upload with the manifest last on a remote one.
4. A manifest's existence means complete; no reader looks at a folder without one.
5. The work folder of a stage that failed stays for its log and ``reproduce.sh``; only a resumable
   stage finds it again, every other starts with an empty one.
"""

import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from mmdet2tflite.artifacts import KINDS, Artifact
from mmdet2tflite.digest import file_sha256, json_sha256
from mmdet2tflite.errors import DISK_FULL, StoreError, disk_full
from mmdet2tflite.interruption import acquire

MANIFEST = "manifest.json"
PARTIAL_MANIFEST = f".{MANIFEST}.partial"
LOGS = "log"
"""Sub-folder of an artefact for what does not define it: logs, curves, reproduce.sh."""
LAST = "last"
"""Sub-folder of the root with a file for each name that ``Store.remember`` was told."""
REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


class Store:
    """An artefact store at a folder or any fsspec URL (``s3://bucket/prefix``)."""

    def __init__(self, root: str | Path) -> None:
        self._fs, self.root = fsspec.core.url_to_fs(str(root))
        self.is_local = "file" in _protocols(self._fs)
        if self.is_local:
            self._cache = Path(self.root)
            self.work = self._cache / ".work"
        else:
            self._cache = user_cache_path("mmdet2tflite") / json_sha256(str(root))[:12]
            self.work = self._cache / ".work"

    def find(self, stage: str, key: str) -> Artifact | None:
        """The finished artefact, or None."""
        try:
            value = json.loads(self._fs.cat_file(f"{self.root}/{stage}/{key}/{MANIFEST}"))["value"]
            return KINDS[value["kind"]].model_validate(value)
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
        where = f"{artifact.stage}/{artifact.key}"
        if not self.is_local:
            self._fs.pipe_file(f"{self.root}/{LAST}/{name}", where.encode())
            return
        path = self._cache / LAST / name
        with _disk_errors(self._cache):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{name}.{os.getpid()}")
            partial.write_text(where, encoding="utf-8")
            partial.rename(path)

    def recall(self, name: str) -> Artifact | None:
        """What was last remembered by a name; None if nothing was, or if it is gone."""
        try:
            stage, key = self._fs.cat_file(f"{self.root}/{LAST}/{name}").decode().split("/")
        except FileNotFoundError:
            return None
        return self.find(stage, key)

    def remembered(self) -> list[str]:
        """The names that something was remembered by."""
        return sorted(path.split("/")[-1] for path in self._fs.glob(f"{self.root}/{LAST}/*"))

    def manifest(self, artifact: Artifact) -> dict[str, Any]:
        """All that is known about how an artefact came about. Raises StoreError if it is gone."""
        name = f"{self.root}/{artifact.stage}/{artifact.key}/{MANIFEST}"
        try:
            return dict(json.loads(self._fs.cat_file(name)))
        except FileNotFoundError:
            raise StoreError(f"{name} is gone", "a complete artefact", "run again") from None

    def path(self, artifact: Artifact, name: str = "") -> Path:
        """Local path of an artefact's file (or folder, without a name); fetched once if remote."""
        folder = self._cache / artifact.stage / artifact.key
        if not self.is_local and _digest_in(folder) != artifact.digest:
            shutil.rmtree(folder, ignore_errors=True)  # nothing, or an earlier artefact of the key
            self._fetch(artifact, folder)
        path = folder / name
        if not path.exists():
            raise StoreError(
                f"{path} is gone", "a complete artefact", f"delete {folder} and run again"
            )
        return path

    def finished(self) -> list[Artifact]:
        """All artefacts."""
        places = (path.split("/")[-3:-1] for path in self._fs.glob(f"{self.root}/*/*/{MANIFEST}"))
        found = (self.find(stage, key) for stage, key in places)
        return [artifact for artifact in found if artifact is not None]

    def remove(self, artifact: Artifact) -> None:
        """Delete an artefact, its manifest first: rule 4."""
        place = f"{self.root}/{artifact.stage}/{artifact.key}"
        work = self.work / artifact.stage / artifact.key
        work.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(work.with_suffix(".lock"), lambda: None):
            self._fs.rm_file(f"{place}/{MANIFEST}")
            self._fs.rm(place, recursive=True)
            shutil.rmtree(self._cache / artifact.stage / artifact.key, ignore_errors=True)

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
            work.parent.mkdir(parents=True, exist_ok=True)
            with _exclusive(work.with_suffix(".lock"), on_wait):
                found = self.find(stage, key)
                if found is not None:
                    return found
                if not resumable:
                    shutil.rmtree(work, ignore_errors=True)
                (work / LOGS).mkdir(parents=True, exist_ok=True)
                for name in (MANIFEST, PARTIAL_MANIFEST):  # of an attempt that was not published
                    (work / name).unlink(missing_ok=True)
                started = time.monotonic()
                artifact = make(work)
                artifact = self._seal(work, stage, key, artifact, origin, started)
                self._publish(work, stage, key)
                return artifact

    def _seal(
        self,
        work: Path,
        stage: str,
        key: str,
        artifact: Artifact,
        origin: Mapping[str, Any],
        started: float,
    ) -> Artifact:
        files = {
            path.relative_to(work).as_posix(): {
                "sha256": file_sha256(path),
                "bytes": path.stat().st_size,
            }
            for path in sorted(work.rglob("*"))
            if path.is_file()
        }
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
        _write_manifest(work, manifest)
        return artifact

    def _publish(self, work: Path, stage: str, key: str) -> None:
        if self.is_local:
            final = self._cache / stage / key
            final.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(final, ignore_errors=True)  # no manifest in it: rule 4
            work.rename(final)
            return
        target = f"{self.root}/{stage}/{key}"
        names = sorted(p.relative_to(work).as_posix() for p in work.rglob("*") if p.is_file())
        for name in sorted(names, key=lambda name: name == MANIFEST):
            self._fs.makedirs(f"{target}/{name}".rpartition("/")[0], exist_ok=True)
            self._fs.put_file(str(work / name), f"{target}/{name}")
        shutil.rmtree(work)

    def _fetch(self, artifact: Artifact, folder: Path) -> None:
        manifest = self.manifest(artifact)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as temporary:
            source = f"{self.root}/{artifact.stage}/{artifact.key}"
            for name, file in manifest["files"].items():
                path = Path(temporary) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                self._fs.get_file(f"{source}/{name}", str(path))
                if file_sha256(path) != file["sha256"]:
                    raise StoreError(
                        f"{source}/{name} is not the file that its manifest describes",
                        f"sha256 {file['sha256']}",
                        f"delete {source} and run again",
                    )
            _write_manifest(Path(temporary), manifest)
            try:
                Path(temporary).rename(folder)
            except OSError:  # another process was quicker; its copy was checked as well
                if not (folder / MANIFEST).exists():
                    raise
            else:
                Path(temporary).mkdir()  # for the context manager to remove


def _protocols(fs: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _is_log(name: str) -> bool:
    return name.startswith(f"{LOGS}/")


def _digest_in(folder: Path) -> str | None:
    """Digest of the artefact whose copy is in a local folder."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return str(manifest["value"]["digest"])


def _write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    partial = folder / PARTIAL_MANIFEST
    with partial.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(folder / MANIFEST)


@contextmanager
def _exclusive(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold a lock that the kernel releases when this process ends, however it ends."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        acquire(lock)
    try:
        yield
    finally:
        lock.release()


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
