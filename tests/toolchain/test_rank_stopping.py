"""Does every rank end with the others and with the flow, and does a user hear why?"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from mmdet2tflite.errors import ModelError, ToolFailed
from mmdet2tflite.store.store import Store
from tests.toolchain.ranks import EPOCHS, train

pytestmark = [pytest.mark.toolchain, pytest.mark.long]

FLOW = """
import sys
from mmdet2tflite.store.store import Store
from tests.toolchain.ranks import train
train(Store(sys.argv[1]), processes=2)
"""


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def wait_for[T](look: Callable[[], T], seconds: float = 300) -> T:
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)
    return found


def ranks(flow: int) -> dict[int, psutil.Process]:
    """The two ranks below a process, or nothing before both have come into being."""
    found = {}
    for process in psutil.Process(flow).children(recursive=True):
        try:
            rank = process.environ().get("RANK")
        except psutil.Error:  # it has ended meanwhile
            continue
        if rank is not None:
            found[int(rank)] = process
    return found if len(found) == 2 else {}


def test_one_rank_that_dies_ends_all_and_the_next_attempt_goes_on_from_the_last_epoch(tmp_path):
    store, failures = Store(tmp_path), []

    def attempt() -> None:
        try:
            train(store, processes=2)
        except ToolFailed as failure:
            failures.append(str(failure))

    thread = threading.Thread(target=attempt)
    thread.start()
    running = wait_for(lambda: ranks(os.getpid()))
    wait_for(lambda: list(tmp_path.rglob("epoch_1.pth")))
    running[1].send_signal(signal.SIGKILL)
    thread.join()
    assert not any(process.is_running() for process in running.values())
    (failure,) = failures
    # On a busy machine the other rank, whose connection broke, may end before the killed one has.
    (log,) = tmp_path.rglob("train.log")
    assert "Signal 9 (SIGKILL)" in failure or "Connection closed by peer" in log.read_text()

    trained = train(store, processes=2)

    log = trained.store.path(trained.checkpoint, "log/train.log").read_text()
    assert log.count("going on from epoch_1.pth") == 1
    lines = [(line["epoch"], "map" in line) for line in trained.curves()]
    each = [(epoch, scored) for epoch in range(1, EPOCHS + 1) for scored in (False, True)]
    assert lines == [(0, True), *each]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_rank_outlives_the_flow(tmp_path: Path, how: signal.Signals):
    flow = subprocess.Popen([sys.executable, "-c", FLOW, str(tmp_path)], stderr=subprocess.DEVNULL)
    wait_for(lambda: list(tmp_path.rglob("rank_1")))  # they have met
    running = ranks(flow.pid)
    assert len(running) == 2
    flow.send_signal(how)
    flow.wait()
    wait_for(lambda: not any(process.is_running() for process in running.values()), 10)


def test_a_mistake_that_a_rank_finds_reaches_the_user_as_such(tmp_path: Path):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match=r"broken\.pth"):
        train(Store(tmp_path / "store"), processes=2, checkpoint=broken)
