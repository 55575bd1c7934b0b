"""A service that ends by itself: the worker is started again, a few times; any other ends all."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flows.services import services
from flows.services.services import Services
from mmdet2tflite.errors import ServiceError

SECONDS = 60.0
"""How long a test waits for what should happen at once."""
LIVES = "import os, time\nprint('alive', os.getpid(), flush=True)\ntime.sleep(600)\n"
DIES = "print('no such pool', flush=True)\nraise SystemExit(3)\n"


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Modules of the test's own; they are started again at once."""
    for name, text in (("lives", LIVES), ("dies", DIES)):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(services, "SECONDS_TO_RESTART", (0.0, 0.0, 0.0))
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])
    with Services(tmp_path, {"PYTHONPATH": path}) as running:
        yield running


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def numbers(folder: Path, name: str) -> list[int]:
    """Process ids that a service has had, by its log."""
    lines = (folder / f"{name}.log").read_text().splitlines()
    return [int(line.split()[1]) for line in lines if line.startswith("alive")]


def kill(folder: Path, name: str) -> None:
    process = psutil.Process(numbers(folder, name)[-1])
    process.send_signal(signal.SIGKILL)
    wait_for(lambda: process.status() == psutil.STATUS_ZOMBIE)  # Services has not asked yet


def check_until(running: Services, condition: Callable[[], bool]) -> None:
    def checked() -> bool:
        running.check()
        return condition()

    wait_for(checked)


def test_a_worker_that_was_killed_is_started_again_after_its_runs_were_closed(running, tmp_path):
    closed: list[int] = []
    running.start(
        "worker", "lives", on_death=lambda: closed.append(len(numbers(tmp_path, "worker")))
    )
    for times in (1, 2, 3):
        check_until(running, lambda times=times: len(numbers(tmp_path, "worker")) == times)
        kill(tmp_path, "worker")
    check_until(running, lambda: len(numbers(tmp_path, "worker")) == 4)
    assert closed == [1, 2, 3]
    kill(tmp_path, "worker")
    with pytest.raises(ServiceError, match="worker was killed by signal 9 after 3 restarts"):
        running.check()


def test_deaths_of_long_ago_are_forgotten(running, tmp_path, monkeypatch):
    monkeypatch.setattr(services, "SECONDS_TO_FORGET", 0.0)
    running.start("worker", "lives", on_death=lambda: None)
    for times in range(1, 6):
        check_until(running, lambda times=times: len(numbers(tmp_path, "worker")) == times)
        kill(tmp_path, "worker")
    running.check()


def test_a_worker_that_cannot_start_ends_all_with_what_it_said(running, tmp_path):
    running.start("worker", "dies", on_death=lambda: None)
    with pytest.raises(
        ServiceError, match=r"worker ended with status 3 after 3 restarts"
    ) as caught:
        check_until(running, lambda: False)
    assert caught.value.found.endswith("| no such pool")
    assert str(tmp_path / "worker.log") in caught.value.remedy


def test_any_other_service_that_ends_ends_all(running, tmp_path):
    running.start("server", "dies")
    with pytest.raises(ServiceError, match=r"server ended with status 3; the end(.|\n)*such pool"):
        check_until(running, lambda: False)


def test_it_waits_longer_each_time(running, tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(services.time, "monotonic", lambda: now)
    monkeypatch.setattr(services, "SECONDS_TO_RESTART", (1.0, 2.0))
    running.start("worker", "dies", on_death=lambda: None)
    for death, wait in enumerate((1.0, 2.0), start=1):
        running._running["worker"].process.wait()
        running.check()  # notices
        now += wait - 0.01
        running.check()
        assert (tmp_path / "worker.log").read_text().count("no such pool") == death
        assert running._running["worker"].due is not None
        now += 0.02
        running.check()  # starts it
        assert running._running["worker"].due is None


def test_all_end_with_the_block_and_a_worker_that_waits_is_no_obstacle(tmp_path, running):
    running.start("server", "lives")
    check_until(running, lambda: len(numbers(tmp_path, "server")) == 1)
    (number,) = numbers(tmp_path, "server")
    running.__exit__()
    assert not psutil.pid_exists(number)
