"""What the store finds again: nothing half-made, nothing made twice, nothing on trust."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mmdet2tflite.errors import StoreError
from mmdet2tflite.store import manifest as manifest_module
from mmdet2tflite.store.manifest import MANIFEST, seal
from mmdet2tflite.store.store import Store
from tests.store.building import build, never, report, writes


def test_what_was_built_is_found_again_with_its_key_and_digest(store: Store) -> None:
    built = build(store, writes("content", value=report(mAP=0.372)))
    assert (built.stage, built.key, len(built.digest)) == ("stage", "key", 64)
    assert store.find("stage", "key") == built
    assert store.path(built, "file.txt").read_text() == "content"


def test_a_finished_artefact_is_not_made_again(store: Store) -> None:
    first = build(store, writes("content"))
    assert build(store, never) == first


def test_another_key_is_another_artefact(store: Store) -> None:
    build(store, writes("content"))
    assert store.find("stage", "other") is None


def test_a_folder_without_a_manifest_is_not_found_and_is_replaced(store: Store) -> None:
    built = build(store, writes("old"))
    store.path(built, MANIFEST).unlink()
    assert store.find("stage", "key") is None
    assert store.path(build(store, writes("new")), "file.txt").read_text() == "new"


def test_an_artefact_whose_folder_was_deleted_is_made_again(store: Store) -> None:
    shutil.rmtree(store.path(build(store, writes("content"))))
    assert store.path(build(store, writes("content")), "file.txt").exists()


def test_the_manifest_is_written_after_every_other_file_and_before_the_folder_appears(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []
    original = manifest_module.write_manifest

    def spy(folder: Path, manifest: Mapping[str, Any]) -> None:
        seen.append(((folder / "file.txt").exists(), final.exists()))
        original(folder, manifest)

    final = Path(store.root) / "stage" / "key"
    monkeypatch.setattr(manifest_module, "write_manifest", spy)
    build(store, writes("content"))
    assert seen == [(True, False)]
    assert (final / MANIFEST).exists()


def test_the_manifest_is_plain_json(store: Store) -> None:
    path = store.path(build(store, writes("content")), MANIFEST)
    assert json.loads(path.read_text())["value"]["kind"] == "report"


def test_the_manifest_says_what_was_asked_and_describes_every_file(store: Store) -> None:
    manifest = store.manifest(build(store, writes("abc")))
    assert manifest["origin"] == {"asked": "for"}
    assert manifest["files"] == {
        "file.txt": {
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "bytes": 3,
        }
    }


def test_a_manifest_of_another_version_is_reported_with_the_remedy(store: Store) -> None:
    path = store.path(build(store, writes("content")), MANIFEST)
    manifest = json.loads(path.read_text())
    manifest["value"]["run_time"] = manifest["value"].pop("runtime")
    path.write_text(json.dumps(seal(manifest)))
    with pytest.raises(StoreError) as caught:
        store.find("stage", "key")
    assert caught.value.remedy == f"delete {path.parent} and run again"


def test_a_file_that_is_gone_is_reported_with_the_remedy(store: Store) -> None:
    built = build(store, writes("content"))
    with pytest.raises(StoreError, match=r"delete .*stage/key and run again"):
        store.path(built, "other.txt")


def test_a_name_recalls_what_it_was_last_told_whenever_that_was_made(store: Store) -> None:
    old, new = (build(store, writes(key), key) for key in ("old", "new"))
    store.remember("name", old)
    assert store.recall("name") == old
    store.remember("name", new)
    store.remember("other", new)
    store.remember("name", old)
    assert (store.recall("name"), store.recall("other")) == (old, new)
    assert store.remembered() == ["name", "other"]


def test_nothing_is_recalled_by_an_unknown_name_or_once_it_is_gone(store: Store) -> None:
    assert store.recall("name") is None
    assert store.remembered() == []
    built = build(store, writes("content"))
    store.remember("name", built)
    shutil.rmtree(store.path(built))
    assert store.recall("name") is None
