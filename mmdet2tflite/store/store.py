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
7. An artefact whose files are not those of its manifest is damaged: it is set aside before anybody
   uses it, which is said, and made anew.
"""

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec

from mmdet2tflite.artifacts import KINDS, Artifact
from mmdet2tflite.errors import StoreError
from mmdet2tflite.files.disk import disk_errors
from mmdet2tflite.processes.lock import exclusive
from mmdet2tflite.safe_text import without_password
from mmdet2tflite.store.folder import Folder
from mmdet2tflite.store.leftover import Leftover
from mmdet2tflite.store.manifest import (
    LOGS,
    MANIFEST,
    Damaged,
    finish_artifact,
    parse_manifest,
    sealed,
)
from mmdet2tflite.store.remote import Remote

LAST = "last"
"""Sub-folder of the root with a file for each name that ``Store.remember`` was told."""


class Store:
    """An artefact store at a folder or any fsspec URL (``s3://bucket/prefix``)."""

    def __init__(self, root: str | Path) -> None:
        """Raises StoreError for a URL that nothing here can open, or that holds a password."""
        self._place = _place(str(root))
        self.root, self._cache = self._place.root, self._place.cache
        self.work = self._cache / ".work"

    def check(self) -> None:
        """Raises StoreError if a remote root cannot be written: no server, no bucket, no key."""
        self._place.check()

    def find(self, stage: str, key: str) -> Artifact | None:
        """The finished artefact, its files as its manifest describes them, or None.

        A damaged one is set aside (rule 7).

        Raises:
            StoreError: it cannot be read, or is another version's.
        """
        try:
            return self._find(stage, key)
        except Damaged:
            with disk_errors(self._cache), exclusive(self._lock(stage, key)):
                return self._find_or_set_aside(stage, key)

    def _find(self, stage: str, key: str) -> Artifact | None:
        """Raises Damaged."""
        manifest = self._manifest(stage, key)
        if manifest is None:
            return None
        with disk_errors(self._cache):
            self._place.check_artefact(stage, key, manifest)
        return self._value(stage, key, manifest)

    def _find_or_set_aside(self, stage: str, key: str) -> Artifact | None:
        """Under the key's lock: another process may have made it anew meanwhile."""
        try:
            return self._find(stage, key)
        except Damaged as damage:
            what = f"damaged: {stage}/{key}: {damage}"
            try:
                aside = self._place.set_aside(stage, key)
            except OSError as error:
                raise StoreError(
                    f"{what}; it cannot be set aside: {error.strerror}",
                    "a store that this user may write to",
                    f"delete {self.root}/{stage}/{key} and run again",
                ) from None
            print(f"{what}; set aside in {aside}, to be made anew", file=sys.stderr)
            return None

    def _manifest(self, stage: str, key: str) -> dict[str, Any] | None:
        """What an artefact's manifest says; None if there is none. Raises Damaged."""
        name = f"{stage}/{key}/{MANIFEST}"
        try:
            return parse_manifest(self._place.read(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except IsADirectoryError:
            raise Damaged(f"{MANIFEST} is no file") from None
        except OSError as error:
            raise StoreError(
                f"{self.root}/{name} cannot be read: {error.strerror or error}",
                "a manifest that this user may read",
                "correct its permissions, or set `store` to another folder",
            ) from None

    def _value(self, stage: str, key: str, manifest: Mapping[str, Any]) -> Artifact:
        try:
            value = manifest["value"]
            artifact = KINDS[value["kind"]].model_validate(value)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{stage}/{key}/{MANIFEST} cannot be read: {type(error).__name__}",
                "a manifest that this version wrote",
                f"delete {self.root}/{stage}/{key} and run again",
            ) from None
        if (artifact.stage, artifact.key) != (stage, key):
            raise Damaged(f"it is {artifact.stage}/{artifact.key}, in another one's place")
        return artifact

    def remember(self, name: str, artifact: Artifact) -> None:
        """Let ``recall(name)`` find an artefact, in place of the one that it found before."""
        with disk_errors(self._cache):
            self._place.write(f"{LAST}/{name}", f"{artifact.stage}/{artifact.key}".encode())

    def recall(self, name: str) -> Artifact | None:
        """What was last remembered by a name; None if nothing was, or if it is gone."""
        try:
            stage, key = self._place.read(f"{LAST}/{name}").decode().split("/")
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            print(f"damaged: {LAST}/{name} names no artefact; left out", file=sys.stderr)
            return None
        return self.find(stage, key)

    def remembered(self) -> list[str]:
        """The names that something was remembered by."""
        return self._place.names(LAST)

    def manifest(self, artifact: Artifact) -> dict[str, Any]:
        """All that is known about how an artefact came about. Raises StoreError if it is gone."""
        try:
            manifest = self._manifest(artifact.stage, artifact.key)
        except Damaged as damage:
            raise self._unusable(artifact, damage) from None
        if manifest is None:
            raise StoreError(
                f"{self.root}/{artifact.stage}/{artifact.key}/{MANIFEST} is gone",
                "a complete artefact",
                "run again",
            )
        return manifest

    def path(self, artifact: Artifact, name: str = "") -> Path:
        """Local path of an artefact's file (or folder, without a name); fetched once if remote.

        Raises:
            StoreError: it is gone, or not what was made (rule 7).
        """
        with disk_errors(self._cache):
            try:
                folder = self._place.fetch(artifact)
            except Damaged as damage:
                raise self._unusable(artifact, damage) from None
        path = folder / name
        if not path.exists():
            raise StoreError(
                f"{path} is gone", "a complete artefact", f"delete {folder} and run again"
            )
        return path

    def _unusable(self, artifact: Artifact, damage: Damaged) -> StoreError:
        """The caller has been told that it is there: it was damaged since, while this ran."""
        return StoreError(
            f"{self.root}/{artifact.stage}/{artifact.key}: {damage}",
            "the files as they were made",
            "run again: the damaged artefact is set aside and made anew",
        )

    def places(self) -> list[tuple[str, str]]:
        """Stage and key of everything that has a manifest, be it damaged."""
        return self._place.manifests()

    def finished(self) -> list[Artifact]:
        """All artefacts whose manifest can be read; of each other one, why not is said."""
        found = []
        for stage, key in self.places():
            try:
                manifest = self._manifest(stage, key)
                if manifest is not None:
                    found.append(self._value(stage, key, manifest))
            except (Damaged, StoreError) as error:
                reason = error.found if isinstance(error, StoreError) else error
                print(f"damaged: {stage}/{key}: {reason}; left alone", file=sys.stderr)
        return found

    def origins(self, stage: str) -> list[dict[str, Any]]:
        """What each artefact of a stage was made of; those that cannot be read are left out."""
        found = []
        for key in (key for name, key in self.places() if name == stage):
            with suppress(Damaged, StoreError):
                manifest = self._manifest(stage, key)
                found += [manifest["origin"]] if manifest else []
        return found

    def remove(self, artifact: Artifact) -> None:
        """Delete an artefact, its manifest first: rule 4. It may be gone already."""
        lock = self._lock(artifact.stage, artifact.key)
        with exclusive(lock), suppress(FileNotFoundError):
            self._place.remove(artifact)

    def leftovers(self, changed_before: datetime) -> list[Leftover]:
        """What is no artefact (any more): damaged ones, and what ended half way; nobody finds it.

        Args:
            changed_before: with a time zone; an upload may be under way in what changed since.
        """
        return self._place.leftovers(changed_before)

    def remove_leftover(self, leftover: Leftover) -> None:
        """Delete it."""
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
        with disk_errors(self._cache):
            work = self.work / stage / key
            with exclusive(self._lock(stage, key), on_wait):
                found = self._find_or_set_aside(stage, key)
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
                    manifest = finish_artifact(work, stage, key, artifact, origin, started)
                published = self._place.publish(work, stage, key, manifest)
                return self._value(stage, key, published)

    def _lock(self, stage: str, key: str) -> Path:
        return self.work / stage / f"{key}.lock"


def _place(root: str) -> Folder | Remote:
    if (shown := without_password(root)) != root:
        raise StoreError(
            f"the store {shown} holds a password, which servers' answers would show",
            "an address without one",
            "for S3, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (docs/remote.md); for others, "
            "FSSPEC_<PROTOCOL>_PASSWORD",
        )
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
