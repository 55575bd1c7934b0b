"""Roots given by a URL: what one machine built, another finds, fetches once and checks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from mmdet2tflite.artifacts import Report
from mmdet2tflite.errors import StoreError
from mmdet2tflite.store import LOGS, MANIFEST, Store
from tests.store.building import build, never, report, writes


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield "memory://bucket/prefix"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def another_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    return lambda: monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another cache"))


def test_a_file_url_is_a_local_root(tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}/store")
    built = build(store, writes("content"))
    assert store.path(built) == tmp_path / "store" / "stage" / "key"
    assert Store(tmp_path / "store").find("stage", "key") == built


def test_another_machine_finds_and_fetches_what_was_built_on_a_remote_root(
    remote: str, another_machine: Callable[[], None]
) -> None:
    built = build(Store(remote), writes("content", "folder/file.txt"))
    another_machine()
    elsewhere = Store(remote)
    assert elsewhere.find("stage", "key") == built
    assert build(elsewhere, never) == built
    assert elsewhere.path(built, "folder/file.txt").read_text() == "content"


def test_another_machine_recalls_what_was_remembered_on_a_remote_root(
    remote: str, another_machine: Callable[[], None]
) -> None:
    built = build(Store(remote), writes("content"))
    Store(remote).remember("name", built)
    another_machine()
    assert Store(remote).recall("name") == built
    assert Store(remote).remembered() == ["name"]


def test_a_remote_file_is_fetched_once(remote: str, another_machine: Callable[[], None]) -> None:
    built = build(Store(remote), writes("content"))
    another_machine()
    elsewhere = Store(remote)
    first = elsewhere.path(built, "file.txt")
    fsspec.filesystem("memory").store.clear()
    assert elsewhere.path(built, "file.txt") == first
    assert first.read_text() == "content"


def test_on_a_remote_root_the_manifest_is_uploaded_last(
    remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(remote)
    uploaded: list[str] = []
    monkeypatch.setattr(
        type(store._fs), "put_file", lambda self, source, target: uploaded.append(target)
    )

    def make(work: Path) -> Report:
        for name in ("a.txt", "z.txt", f"{LOGS}/tool.log"):
            (work / name).write_text(name)
        return report()

    build(store, make)
    assert len(uploaded) == 4
    assert uploaded[-1].endswith(f"stage/key/{MANIFEST}")


def test_an_upload_that_breaks_off_leaves_nothing_visible(
    remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(remote)

    def breaks(self: object, source: str, target: str) -> None:
        raise ConnectionResetError("network")

    with monkeypatch.context() as patch:
        patch.setattr(type(store._fs), "put_file", breaks)
        with pytest.raises(ConnectionResetError):
            build(store, writes("content"))
    assert store.find("stage", "key") is None
    build(store, writes("content"))
    assert store.find("stage", "key") is not None


def test_a_remote_file_that_does_not_match_its_manifest_is_refused(
    remote: str, another_machine: Callable[[], None]
) -> None:
    built = build(Store(remote), writes("content"))
    fsspec.filesystem("memory").pipe_file("/bucket/prefix/stage/key/file.txt", b"c0ntent")
    another_machine()
    elsewhere = Store(remote)
    with pytest.raises(StoreError, match=r"file\.txt is not the file that its manifest describes"):
        elsewhere.path(built, "file.txt")
    assert not list(elsewhere.work.parent.rglob("file.txt"))


def test_a_remote_artefact_that_is_gone_is_reported(
    remote: str, another_machine: Callable[[], None]
) -> None:
    built = build(Store(remote), writes("content"))
    fsspec.filesystem("memory").store.clear()
    another_machine()
    with pytest.raises(StoreError, match=r"manifest\.json is gone"):
        Store(remote).path(built, "file.txt")


def test_a_remote_artefact_made_again_replaces_the_copy_in_the_cache(
    remote: str, another_machine: Callable[[], None]
) -> None:
    old = build(Store(remote), writes("old"))
    here = Store(remote)
    assert here.path(old, "file.txt").read_text() == "old"
    fsspec.filesystem("memory").store.clear()
    new = build(here, writes("new"))
    assert here.path(new, "file.txt").read_text() == "new"
