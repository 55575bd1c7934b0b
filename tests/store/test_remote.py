"""Roots given by a URL: what one machine built, another finds, fetches once and checks."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from mmdet2tflite.errors import StoreError
from mmdet2tflite.store.manifest import MANIFEST
from mmdet2tflite.store.store import Store
from tests.store.building import build, files, never, writes


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


def test_a_remote_file_that_does_not_match_its_manifest_is_refused(
    remote: str, another_machine: Callable[[], None]
) -> None:
    built = build(Store(remote), writes("content"))
    (file,) = files("file.txt")
    fsspec.filesystem("memory").pipe_file(file, b"c0ntent")
    another_machine()
    elsewhere = Store(remote)
    with pytest.raises(StoreError, match=r"file\.txt is not the file that its manifest describes"):
        elsewhere.path(built, "file.txt")
    assert not list(elsewhere.work.parent.rglob("file.txt"))


@pytest.mark.parametrize("name", ["file.txt", MANIFEST])
def test_a_remote_artefact_that_is_gone_is_reported(
    remote: str, another_machine: Callable[[], None], name: str
) -> None:
    built = build(Store(remote), writes("content"))
    fsspec.filesystem("memory").rm_file(*files(name))
    another_machine()
    with pytest.raises(StoreError, match=rf"{name} is gone"):
        Store(remote).path(built, "file.txt")


def test_a_remote_artefact_that_is_another_one_by_now_is_reported(
    remote: str, another_machine: Callable[[], None]
) -> None:
    old = build(Store(remote), writes("old"))
    fsspec.filesystem("memory").store.clear()
    build(Store(remote), writes("new"))
    another_machine()
    with pytest.raises(StoreError, match="is another one by now"):
        Store(remote).path(old, "file.txt")


def test_threads_that_want_the_same_file_at_once_fetch_it_once(
    remote: str, another_machine: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build(Store(remote), writes("content"))
    another_machine()
    fetched: list[object] = []
    original = MemoryFileSystem.get_file

    def slow(self: MemoryFileSystem, *words: object, **options: object) -> None:
        fetched.append(words)
        time.sleep(0.1)
        original(self, *words, **options)

    monkeypatch.setattr(MemoryFileSystem, "get_file", slow)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: Store(remote).path(built, "file.txt"), range(4)))
    assert {path.read_text() for path in paths} == {"content"}
    assert len(fetched) == 1


def test_a_remote_artefact_made_again_replaces_the_copy_in_the_cache(
    remote: str, another_machine: Callable[[], None]
) -> None:
    old = build(Store(remote), writes("old"))
    here = Store(remote)
    assert here.path(old, "file.txt").read_text() == "old"
    fsspec.filesystem("memory").store.clear()
    new = build(here, writes("new"))
    assert here.path(new, "file.txt").read_text() == "new"
