"""Attempts that fail, are killed or meet each other: nothing half-made is ever seen."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmdet2tflite.artifacts import Artifact, Report
from mmdet2tflite.store.folder import Folder
from mmdet2tflite.store.manifest import LOGS
from mmdet2tflite.store.store import Store
from tests.store.building import build, never, report, writes

SECONDS = 10.0


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


def end_before_publication(store: Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns the file that was made."""

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "publish", power_cut)
        with pytest.raises(KeyboardInterrupt):
            build(store, writes("content"), resumable=True)
    assert store.find("stage", "key") is None
    return store.work / "stage" / "key" / "file.txt"


def test_an_attempt_that_ended_between_manifest_and_publication_is_published_and_not_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = build(store, writes("content"), key="reference")
    end_before_publication(store, monkeypatch)
    built = build(store, never)
    assert list(store.manifest(built)["files"]) == ["file.txt"]
    assert built.digest == reference.digest
    assert store.path(built, "file.txt").read_text() == "content"


@pytest.mark.parametrize("content", ["c", ""])
def test_one_whose_files_the_disk_did_not_keep_is_made_again_without_a_trace(
    store: Store, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    end_before_publication(store, monkeypatch).write_text(content)
    built = build(store, writes("content"), resumable=True)
    assert list(store.manifest(built)["files"]) == ["file.txt"]
    assert store.path(built, "file.txt").read_text() == "content"


SCRIPT = """
    import pathlib, sys, time
    from mmdet2tflite.artifacts import Report
    from mmdet2tflite.store.store import Store

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
