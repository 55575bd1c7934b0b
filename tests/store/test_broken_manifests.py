"""Manifests and notes of every broken kind: one line each, and everything else goes on."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mmdet2tflite.errors import StoreError
from mmdet2tflite.store.cleaning import unneeded
from mmdet2tflite.store.manifest import FIELDS, MANIFEST, Damaged, parse_manifest, seal
from mmdet2tflite.store.store import LAST, Store
from tests.store.building import build, never, writes, writes_several

FUTURE = datetime.now(UTC) + timedelta(days=1)


def without(name: str) -> Callable[[dict], str]:
    return lambda manifest: json.dumps(seal({k: v for k, v in manifest.items() if k != name}))


def with_value(name: str, value: object) -> Callable[[dict], str]:
    return lambda manifest: json.dumps({**manifest, name: value})


BROKEN: dict[str, Callable[[dict], str | bytes]] = {
    "empty": lambda manifest: "",
    "binary": lambda manifest: bytes(range(256)),
    "a list": lambda manifest: "[]",
    "null": lambda manifest: "null",
    "half of it": lambda manifest: json.dumps(manifest)[:100],
    "deeply nested": lambda manifest: "[" * 100_000,
    "a number with a million digits": lambda manifest: "1" * 1_000_000,
    "another digest": lambda manifest: json.dumps(manifest).replace(
        manifest["value"]["digest"], "0" * 64
    ),
    "another metric": lambda manifest: json.dumps(manifest).replace("0.3721", "0.9721"),
    "a file outside": lambda manifest: json.dumps(
        seal({**manifest, "files": {"../x": {"sha256": "0" * 64, "bytes": 0}}})
    ),
    **{f"without {name}": without(name) for name in sorted(FIELDS)},
    **{f"with {name} null": with_value(name, None) for name in sorted(FIELDS)},
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_manifest_of_any_broken_kind_is_damage(
    store: Store, kind: str, capsys: pytest.CaptureFixture
) -> None:
    built = build(store, writes_several)
    path = store.path(built, MANIFEST)
    content = BROKEN[kind](json.loads(path.read_text()))
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(StoreError, match=r"stage/key: manifest\.json .*"):
        store.manifest(built)
    assert store.find("stage", "key") is None
    assert capsys.readouterr().err.count("\n") == 1
    assert build(store, writes_several).digest == built.digest


def test_a_manifest_that_is_a_folder_or_a_pipe_is_damage(store: Store) -> None:
    for make in (Path.mkdir, os.mkfifo):
        path = store.path(build(store, writes_several), MANIFEST)
        path.unlink()
        make(path)
        assert store.find("stage", "key") is None


def test_a_manifest_of_an_earlier_version_has_no_seal_and_is_taken(store: Store) -> None:
    built = build(store, writes_several)
    path = store.path(built, MANIFEST)
    manifest = json.loads(path.read_text())
    del manifest["seal"]
    path.write_text(json.dumps(manifest))
    assert store.find("stage", "key") == built


def test_a_flipped_bit_in_the_name_of_the_seal_does_not_break_it(store: Store) -> None:
    text = store.path(build(store, writes_several), MANIFEST).read_bytes()
    with pytest.raises(Damaged, match="other fields"):
        parse_manifest(text.replace(b'"seal"', b'"seam"'))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a/b/c", b"no slash", b"stage/gone"])
def test_a_broken_note_of_the_last_comparison_recalls_nothing(store: Store, content: bytes) -> None:
    store.remember("name", build(store, writes_several))
    (Path(store.root) / LAST / "name").write_bytes(content)
    assert store.recall("name") is None
    store.remember("name", build(store, never))
    assert store.recall("name") is not None


def test_one_bad_entry_does_not_keep_a_clean_up_from_the_others(
    store: Store, capsys: pytest.CaptureFixture
) -> None:
    for key in ("bad", "good"):
        built = build(store, writes(key), key)
    path = store.path(built.model_copy(update={"key": "bad"}), MANIFEST)
    path.write_text("{")
    store.remember("name", built)
    (Path(store.root) / LAST / "name").write_bytes(b"\xff")
    assert [each.artifact.key for each in unneeded(store, (), FUTURE)] == ["good"]
    assert "damaged: stage/bad: manifest.json is no JSON" in capsys.readouterr().err
