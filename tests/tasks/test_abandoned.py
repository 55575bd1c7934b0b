"""A run whose process was killed is ended by the next one, and nobody else's is."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pytest

from tasks import processes
from tasks.tracking.runs import close_abandoned
from tests.tasks.conftest import Tracked

ROOT = Path(__file__).parents[2]
SAY_AND_WAIT = """
from tasks.processes import this_process
print(this_process(), flush=True)
input()
"""


@contextmanager
def process() -> Iterator[tuple[str, Callable[[], None]]]:
    """The tag of a run of a living process, and what kills it as `kill -9` does."""
    with subprocess.Popen(
        [sys.executable, "-c", SAY_AND_WAIT],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:

        def kill() -> None:
            child.send_signal(signal.SIGKILL)
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and a zombie

        assert child.stdout is not None
        try:
            yield child.stdout.readline().strip(), kill
        finally:
            child.kill()


@pytest.fixture(scope="module")
def killed() -> str:
    """The tag of a run of a process that is gone."""
    with process() as (tag, kill):
        kill()
        return tag


def test_a_process_is_gone_when_it_was_killed_and_not_before():
    with process() as (tag, kill):
        assert not processes.is_gone(tag)
        kill()
        assert processes.is_gone(tag)
    assert processes.is_gone(tag)


def test_another_process_that_has_its_number_by_now_is_not_taken_for_it():
    tag = processes.this_process()
    assert not processes.is_gone(tag)
    rest, _, ticks = tag.rpartition(" ")
    assert processes.is_gone(f"{rest} {int(ticks) - 1}")


def test_a_container_of_the_same_name_is_another_place():
    namespace = processes.this_process().partition(" ")[0].split("/")[2]
    assert os.readlink("/proc/self/ns/pid") == f"pid:[{namespace}]"


@pytest.mark.parametrize("part", [0, 1, 2])
def test_of_another_machine_or_container_nothing_is_known(killed, part):
    place, _, rest = killed.partition(" ")
    parts = place.split("/")
    parts[part] += "0"
    assert not processes.is_gone(f"{'/'.join(parts)} {rest}")
    assert not processes.is_gone("")
    assert not processes.is_gone("something of the user's own")


def test_runs_that_were_abandoned_are_closed_with_their_children_and_no_others(
    tracked: Tracked, killed, request
):
    client = mlflow.MlflowClient()
    name = request.node.name
    experiment = client.create_experiment(name)

    def run(tags: dict[str, str], end: str | None = None) -> str:
        made = client.create_run(experiment, tags=tags).info.run_id
        if end:
            client.set_terminated(made, end)
        return made

    def status(number: str) -> str:
        return client.get_run(number).info.status

    dead = run({"process": killed})
    child = run({"mlflow.parentRunId": dead})
    done = run({"mlflow.parentRunId": dead}, "FINISHED")
    failed = run({"process": killed}, "FAILED")
    alive = run({"process": processes.this_process()})
    child_of_alive = run({"mlflow.parentRunId": alive})
    elsewhere = run({"process": f"other/id/1 {killed.partition(' ')[2]}"})
    untagged = run({})

    assert set(close_abandoned(name)) == {dead, child}

    assert [status(number) for number in (dead, child)] == ["KILLED", "KILLED"]
    assert "was killed" in client.get_run(dead).data.tags["failed"]
    assert (status(done), status(failed)) == ("FINISHED", "FAILED")
    for other in (alive, child_of_alive, elsewhere, untagged):
        assert status(other) == "RUNNING"
    assert close_abandoned(name) == []


def test_a_run_says_which_process_it_belongs_to(tracked: Tracked):
    tag = tracked.runs["tiny"].data.tags["process"]
    assert tag == processes.this_process()
