"""The store: nothing half-made is ever seen, nothing finished is made twice, nothing is trusted."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
import pytest

from mmdet2tflite import store as store_module
from mmdet2tflite.artifacts import Artifact, Report
from mmdet2tflite.errors import StoreError
from mmdet2tflite.store import LOGS, MANIFEST, Store

SECONDS = 10.0


def report(runtime: str = "onnx", **metrics: float) -> Report:
    return Report(runtime=runtime, variant="explicit", model="m", metrics=metrics)


def writes(content: str, name: str = "file.txt", value: Report | None = None) -> Callable:
    def make(work: Path) -> Report:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(content)
        return value or report()

    return make


def never(work: Path) -> Artifact:
    raise AssertionError("made although it is there")


def build(store: Store, make: Callable, key: str = "key", **options: object) -> Artifact:
    return store.build("stage", key, make, origin={"asked": "for"}, **options)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


# --- what is found -------------------------------------------------------------------------------


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


def test_a_manifest_that_is_no_json_is_reported_and_not_taken_for_absent(store: Store) -> None:
    store.path(build(store, writes("content")), MANIFEST).write_text("{")
    with pytest.raises(StoreError, match=r"stage/key/manifest\.json cannot be read"):
        build(store, never)


def test_the_manifest_is_written_after_every_other_file_and_before_the_folder_appears(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []
    original = store_module._write_manifest

    def spy(folder: Path, manifest: Mapping[str, Any]) -> None:
        seen.append(((folder / "file.txt").exists(), final.exists()))
        original(folder, manifest)

    final = Path(store.root) / "stage" / "key"
    monkeypatch.setattr(store_module, "_write_manifest", spy)
    build(store, writes("content"))
    assert seen == [(True, False)]
    assert (final / MANIFEST).exists()


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
    path.write_text(path.read_text().replace('"runtime"', '"run_time"'))
    with pytest.raises(StoreError) as caught:
        store.find("stage", "key")
    assert caught.value.remedy == f"delete {path.parent} and run again"


def test_a_file_that_is_gone_is_reported_with_the_remedy(store: Store) -> None:
    built = build(store, writes("content"))
    with pytest.raises(StoreError, match=r"delete .*stage/key and run again"):
        store.path(built, "other.txt")


# --- what the digest covers ----------------------------------------------------------------------


def digest(store: Store, key: str, *makes: Callable, value: Report | None = None) -> str:
    def make(work: Path) -> Report:
        for one in makes:
            one(work)
        return value or report()

    return build(store, make, key).digest


def test_the_digest_ignores_logs_metrics_and_key(store: Store) -> None:
    plain = digest(store, "a", writes("x"))
    assert digest(store, "b", writes("x"), writes("12:00", f"{LOGS}/tool.log")) == plain
    assert digest(store, "c", writes("x"), value=report(seconds=1.5)) == plain


def test_the_digest_depends_on_contents_names_and_fields(store: Store) -> None:
    digests = {
        digest(store, "a", writes("x")),
        digest(store, "b", writes("y")),
        digest(store, "c", writes("x", "other.txt")),
        digest(store, "d", writes("x"), value=report(runtime="tflite")),
        digest(store, "e", writes("x"), writes("x", "log.txt")),
    }
    assert len(digests) == 5


# --- interruptions -------------------------------------------------------------------------------


def fails_after_writing(work: Path) -> Artifact:
    (work / "half.txt").write_text("half")
    raise RuntimeError("in the middle")


def left_overs(work: Path) -> list[str]:
    return sorted(path.name for path in work.iterdir() if path.name != LOGS)


def test_a_stage_that_fails_leaves_nothing_visible_but_keeps_its_work_folder(store: Store) -> None:
    with pytest.raises(RuntimeError, match="in the middle"):
        build(store, fails_after_writing)
    assert store.find("stage", "key") is None
    assert not (Path(store.root) / "stage" / "key").exists()
    assert (store.work / "stage" / "key" / "half.txt").exists()


@pytest.mark.parametrize(("resumable", "found"), [(True, ["half.txt"]), (False, [])])
def test_only_a_resumable_stage_finds_the_files_of_an_earlier_attempt(
    store: Store, resumable: bool, found: list[str]
) -> None:
    with pytest.raises(RuntimeError):
        build(store, fails_after_writing, resumable=resumable)
    seen: list[str] = []

    def make(work: Path) -> Report:
        seen.extend(left_overs(work))
        return report()

    build(store, make, resumable=resumable)
    assert seen == found


def test_an_attempt_that_ended_between_manifest_and_publication_does_not_leave_a_trace(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = build(store, writes("content"), key="reference")

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_publish", power_cut)
        with pytest.raises(KeyboardInterrupt):
            build(store, writes("content"), resumable=True)
    built = build(store, writes("content"), resumable=True)
    assert list(store.manifest(built)["files"]) == ["file.txt"]
    assert built.digest == reference.digest


SCRIPT = """
    import pathlib, sys, time
    from mmdet2tflite.artifacts import Report
    from mmdet2tflite.store import Store

    folder = pathlib.Path(sys.argv[1])

    def make(work):
        (work / "file.txt").write_text("content")
        with (folder / "makers").open("a") as file:
            file.write("x")
        while not (folder / "waiting").exists():  # until the other process stands in line
            time.sleep(0.02)
        return Report(runtime="onnx", variant="explicit", model="m")

    def on_wait():
        (folder / "waiting").touch()

    store = Store(folder / "store")
    print(store.build("stage", "key", make, origin={}, on_wait=on_wait).digest)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """``start()``: a process that builds the key; it ends when another one waits for it."""
    script = tmp_path / "build.py"
    script.write_text(textwrap.dedent(SCRIPT))
    processes = []

    def start_one() -> subprocess.Popen[str]:
        command = [sys.executable, str(script), str(tmp_path)]
        environment = {**os.environ, "PYTHONPATH": os.getcwd()}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        processes.append(process)
        return process

    yield start_one
    for process in processes:
        process.kill()
        process.wait()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path} in time"
        time.sleep(0.02)


def test_two_processes_that_want_the_same_key_make_it_once_and_both_get_it(
    tmp_path: Path, start: Callable
) -> None:
    first = start()
    wait_for(tmp_path / "makers")
    second = start()
    digests = [process.communicate(timeout=SECONDS)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert digests[0] == digests[1] != ""
    assert (tmp_path / "makers").read_text() == "x"


def test_after_kill_9_in_the_middle_nothing_is_visible_and_the_next_run_succeeds(
    tmp_path: Path, start: Callable, store: Store
) -> None:
    process = start()
    wait_for(tmp_path / "makers")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert store.find("stage", "key") is None
    assert not (Path(store.root) / "stage" / "key").exists()
    built = build(store, writes("content"))  # the lock went with its holder
    assert store.path(built, "file.txt").read_text() == "content"


# --- a disk that refuses -------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_reported_and_leaves_nothing_visible(store: Store, number: int) -> None:
    def make(work: Path) -> Report:
        raise OSError(number, os.strerror(number))

    with pytest.raises(StoreError, match="no space left") as caught:
        build(store, make)
    assert "finished stages are kept" in caught.value.remedy
    assert store.find("stage", "key") is None


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(["mount", *options], check=False).returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full_is_reported_and_the_run_succeeds_once_there_is_room(
    tiny_disk: Path,
) -> None:
    store = Store(tiny_disk)
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(40_000))
    with pytest.raises(StoreError, match="no space left"):
        build(store, writes("x" * 100_000))
    assert store.find("stage", "key") is None
    ballast.unlink()
    assert store.path(build(store, writes("small")), "file.txt").read_text() == "small"


def test_a_root_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreError, match="cannot be written: Not a directory"):
        build(Store(tmp_path / "store"), writes("content"))


def test_a_file_outside_the_store_that_may_not_be_read_is_not_blamed_on_the_store(
    store: Store,
) -> None:
    def make(work: Path) -> Report:
        raise PermissionError(errno.EACCES, "Permission denied", "/data/image.png")

    with pytest.raises(PermissionError, match=r"/data/image\.png"):
        build(store, make)


# --- remote roots --------------------------------------------------------------------------------


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


def test_the_manifest_is_plain_json(store: Store) -> None:
    path = store.path(build(store, writes("content")), MANIFEST)
    assert json.loads(path.read_text())["value"]["kind"] == "report"
