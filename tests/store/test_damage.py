"""What became of an artefact since it was made is noticed before anybody uses it."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest

from mmdet2tflite.artifacts import (
    KINDS,
    Artifact,
    Checkpoint,
    Comparison,
    Dataset,
    KerasModel,
    OnnxModel,
    OpenvinoModel,
    RewrittenModel,
    Split,
    TfliteModel,
)
from mmdet2tflite.errors import StoreError
from mmdet2tflite.passport import Preprocessing, Rotation
from mmdet2tflite.store import manifest as manifest_module
from mmdet2tflite.store.manifest import LOGS, MANIFEST
from mmdet2tflite.store.store import Store
from mmdet2tflite.store.verify import verify_store
from tests.corner_network import HEAD
from tests.store.building import build, never, report, writes, writes_several

FUTURE = datetime.now(UTC) + timedelta(days=1)


FILES = ("model.tflite", "saved_model/variables.data", f"{LOGS}/tool.log", MANIFEST)


@pytest.fixture(autouse=True)
def process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What another process would know of files: nothing yet."""

    def forget() -> None:
        monkeypatch.setattr(manifest_module, "_whole", {})

    forget()
    return forget


def flip(path: Path, position: int) -> None:
    """One bit, with size and times as they were."""
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


MODEL = {"head": HEAD, "preprocessing": Preprocessing(width=64, height=32), "outputs": ()}
MADE = {"strategy": "mirror", "exact": True}
SPLIT = Split(annotations="a.json", image_root="", images=1, boxes=1, images_digest="")
VALUES: dict[str, Artifact] = {
    "dataset": Dataset(classes=("a",), train=SPLIT, val=SPLIT),
    "checkpoint": Checkpoint(head=HEAD, preprocessing=MODEL["preprocessing"], epoch=1),
    "onnx": OnnxModel(**MODEL, opset=13),
    "openvino": OpenvinoModel(**MODEL),
    "rewritten": RewrittenModel(**MODEL, **MADE, pads=0, rotation=Rotation(), upright=True),
    "tflite": TfliteModel(**MODEL, **MADE, converter="onnx2tf", precision="int8"),
    "keras": KerasModel(**MODEL, **MADE, converter="onnx2tf", file="model.h5", format="h5"),
    "report": report(mAP=0.3721),
    "comparison": Comparison(experiment="digits", summary="all well"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_found_in_artefacts_of_every_kind(
    store: Store, kind: str, name: str, process_of_its_own: Callable
) -> None:
    def make(work: Path) -> Artifact:
        writes_several(work)
        return VALUES[kind]

    path = store.path(build(store, make), name)
    flip(path, path.stat().st_size // 2)
    process_of_its_own()
    assert store.find("stage", "key") is None
    assert not path.exists()


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_in_any_file_is_found_and_the_artefact_made_anew(
    store: Store,
    name: str,
    process_of_its_own: Callable,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "fsync", lambda place: None)  # a thousand times
    built = build(store, writes_several)
    path = store.path(built, name)
    for position in range(path.stat().st_size):
        flip(path, position)
        process_of_its_own()
        assert store.find("stage", "key") is None, position
        assert build(store, writes_several) == built
        assert store.path(built, "model.tflite").read_bytes() == bytes(range(256))
    said = capsys.readouterr().err.splitlines()
    aside = Path(store.root) / ".damaged" / "stage" / "key"
    assert len(said) == path.stat().st_size
    assert all(line.startswith(f"damaged: stage/key: {name}") for line in said)
    assert all(f"set aside in {aside}" in line for line in said)
    assert (aside / name).exists()


def test_within_a_process_a_digest_is_computed_once_as_long_as_the_file_stays_as_it_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build(store, writes_several)
    store.path(built)
    digested: list[Path] = []
    original = manifest_module.file_sha256

    def spy(path: Path) -> str:
        digested.append(path)
        return original(path)

    monkeypatch.setattr(manifest_module, "file_sha256", spy)
    assert store.find("stage", "key") == built
    store.path(built, "model.tflite")
    assert digested == []
    flip(store.path(built, "model.tflite"), 100)
    with pytest.raises(StoreError, match=r"model\.tflite is not the file that"):
        store.path(built, "model.tflite")
    assert digested


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.unlink(), "model.tflite is gone"),
        (lambda path: path.write_bytes(b"short"), "model.tflite has 5 bytes and had 256"),
        (lambda path: (path.unlink(), path.mkdir()), "model.tflite is gone"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "model.tflite is gone"),
        (lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "model.tflite is gone"),
        (lambda path: shutil.rmtree(path.parent / "saved_model"), "variables.data is gone"),
    ],
)
def test_a_file_that_is_gone_or_something_else_is_damage(
    store: Store, harm: Callable[[Path], object], said: str, capsys: pytest.CaptureFixture
) -> None:
    harm(store.path(build(store, writes_several), "model.tflite"))
    assert store.find("stage", "key") is None
    assert said in capsys.readouterr().err


def test_a_manifest_that_goes_away_while_somebody_uses_the_artefact_is_reported(
    store: Store,
) -> None:
    built = build(store, writes_several)
    store.path(built, MANIFEST).unlink()
    with pytest.raises(StoreError, match=r"stage/key: manifest\.json is gone"):
        store.path(built, "model.tflite")
    assert store.find("stage", "key") is None


def test_an_artefact_in_anothers_place_is_damage(store: Store) -> None:
    folder = store.path(build(store, writes_several))
    shutil.copytree(folder, folder.with_name("other"))
    assert store.find("stage", "other") is None
    assert store.find("stage", "key") is not None


def test_what_is_found_damaged_while_another_process_made_it_anew_is_left_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build(store, writes_several)
    flip(store.path(built, "model.tflite"), 7)
    monkeypatch.setattr(manifest_module, "_whole", {})
    original = Store._find
    looked: list[int] = []

    def find(self: Store, stage: str, key: str) -> Artifact | None:
        looked.append(1)
        if len(looked) == 2:  # under the lock
            flip(Path(store.root) / "stage" / "key" / "model.tflite", 7)
        return original(self, stage, key)

    monkeypatch.setattr(Store, "_find", find)
    assert store.find("stage", "key") == built
    assert not (Path(store.root) / ".damaged").exists()


def test_what_was_set_aside_and_what_a_removal_left_half_way_are_leftovers(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store.path(build(store, writes_several), "model.tflite")).write_bytes(b"")
    assert store.find("stage", "key") is None
    half = build(store, writes_several, "half")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", never)
        with pytest.raises(AssertionError):
            store.remove(half)
    found = store.leftovers(FUTURE)
    assert [each.folder for each in found] == [".damaged/stage/key", "stage/half"]
    assert all(each.size > 0 for each in found)
    for each in found:
        store.remove_leftover(each)
    assert store.leftovers(FUTURE) == []


def test_a_whole_store_is_verified_and_what_is_damaged_is_named(store: Store) -> None:
    for key in ("a", "b", "c"):
        build(store, writes(key), key)
    flip(Path(store.root) / "stage" / "b" / "file.txt", 0)
    found = verify_store(store)
    assert (found.whole, found.damaged, found.unreadable) == (2, ("stage/b",), ())
    assert [each.folder for each in found.leftovers] == [".damaged/stage/b"]
    again = verify_store(store)
    assert (again.whole, again.damaged) == (2, ())


def test_a_damaged_copy_of_a_shared_artefact_is_fetched_again(
    remote: str, another_machine: Callable[[], None]
) -> None:
    build(Store(remote), writes_several)
    another_machine()
    elsewhere = Store(remote)
    built = elsewhere.find("stage", "key")
    assert built is not None
    for name in FILES:
        flip(elsewhere.path(built, name), 3)
        assert elsewhere.path(built, "model.tflite").read_bytes() == bytes(range(256))


def test_a_shared_artefact_whose_manifest_is_damaged_is_made_anew(remote: str) -> None:
    store = Store(remote)
    built = build(store, writes_several)
    fsspec.filesystem("memory").pipe_file(f"{remote}/stage/key/{MANIFEST}", b"null")
    assert store.find("stage", "key") is None
    assert build(store, writes_several) == built


def test_every_file_is_on_the_disk_before_the_manifest_names_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    original = os.fsync

    def spy(place: int) -> None:
        order.append(Path(os.readlink(f"/proc/self/fd/{place}")).name)
        original(place)

    monkeypatch.setattr(os, "fsync", spy)
    build(store, writes_several)
    before = order[: order.index(f".{MANIFEST}.partial")]
    assert {"model.tflite", "variables.data", "saved_model", "tool.log"} <= set(before)
    assert order[len(before) :] == [f".{MANIFEST}.partial", "key", "stage"]
