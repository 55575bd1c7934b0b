"""The server of a run: there as long as it is needed, whatever becomes of it, and no longer."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tasks.servers.password import FILE, run_password

pytestmark = pytest.mark.flow

ROOT = Path(__file__).parents[3]
SECONDS = 30.0
"""How long a test waits for what should happen at once."""
SECONDS_TO_START = 300.0
RUN = """
import time
from tasks.servers.server import start_server
wait = start_server()
from prefect.settings import get_current_settings
wait()
settings = get_current_settings()
print(settings.api.url, settings.api.auth_string.get_secret_value(), flush=True)
time.sleep(600)
"""


SERVER = """
import socket, sys, uvicorn
from tasks.servers import server
make, startup = server._make_database, uvicorn.Server.startup
def making():
    print("fills the database", flush=True)
    make()
async def starting(self, sockets):
    await startup(self, sockets)
    print("serves", flush=True)
server._make_database, uvicorn.Server.startup = making, starting
place = socket.create_server(("127.0.0.1", 0))
sys.argv = ["tasks.servers.server", str(place.fileno())]
server.main()
"""


def start(home: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PREFECT_HOME": str(home)}
    environment.pop("PREFECT_API_URL", None)
    return subprocess.Popen(
        [sys.executable, "-c", RUN],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS_TO_START
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.1)
    return found


@pytest.mark.flow
def test_it_answers_where_the_settings_say_and_dies_with_a_run_that_is_killed(tmp_path):
    with start(tmp_path) as run:
        try:
            url, password = run.stdout.readline().split()
            for asker, status in ((None, 401), (tuple(password.split(":")), 200)):
                answer = httpx.get(f"{url}/admin/version", auth=asker, timeout=SECONDS)
                assert answer.status_code == status
            assert password not in " ".join(run.args)
            assert httpx.get(f"{url}/health", timeout=SECONDS).json() is True
            (child,) = psutil.Process(run.pid).children()
            assert password not in " ".join(child.cmdline())
            assert not (tmp_path / FILE).exists()
        finally:
            run.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + SECONDS
    with suppress(psutil.NoSuchProcess):
        while child.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.flow
def test_runs_that_start_at_once_on_an_empty_database_all_have_a_server(tmp_path):
    runs = [start(tmp_path) for _ in range(2)]
    try:
        servers = dict(run.stdout.readline().split() for run in runs)
        assert len(servers) == len(set(servers.values())) == 2
        for url, password in servers.items():
            asker = tuple(password.split(":"))
            answer = httpx.post(f"{url}/flows/count", json={}, auth=asker, timeout=SECONDS)
            assert answer.json() == 0
    finally:
        for run in runs:
            run.terminate()
            run.communicate()


def test_a_second_server_waits_until_the_first_has_filled_the_database_and_serves(tmp_path):
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path), **run_password().environment}
    reader, writer = os.pipe()
    servers = [
        subprocess.Popen([sys.executable, "-c", SERVER], cwd=ROOT, env=environment, stdout=writer)
        for _ in range(2)
    ]
    os.close(writer)
    with os.fdopen(reader) as said:
        try:
            done = [said.readline().strip() for _ in range(4)]
        finally:
            for server in servers:
                server.terminate()
                server.wait()
    assert done == ["fills the database", "serves"] * 2


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (signal.SIGKILL, "Prefect's server was killed by 9; it is started again"),
        (signal.SIGSTOP, "Prefect's server does not answer any more; it is started again"),
    ],
)
def test_one_that_dies_or_hangs_is_started_again_at_the_same_place(tmp_path, harm, said):
    with start(tmp_path) as run:
        try:
            url, _ = run.stdout.readline().split()
            (first,) = psutil.Process(run.pid).children()
            time.sleep(2)  # it has been seen to answer
            first.send_signal(harm)
            wait_for(lambda: not psutil.pid_exists(first.pid))
            # Whoever asks meanwhile waits for the next one.
            assert httpx.get(f"{url}/health", timeout=SECONDS_TO_START).json() is True
            (second,) = psutil.Process(run.pid).children()
            assert second.pid != first.pid
            assert run.stdout.readline().strip() == said
        finally:
            run.kill()


def test_a_run_whose_server_cannot_be_started_ends_with_a_line_and_status_2(tmp_path):
    (tmp_path / "prefect.db").mkdir()
    with start(tmp_path) as run:
        out, said = run.communicate(timeout=SECONDS_TO_START)
    assert run.returncode == 2
    assert out.splitlines() == ["Prefect's server ended with status 1; it is started again"]
    first, *quoted, _, remedy = said.splitlines()
    assert first == (
        "Service: Prefect's server ended with status 1, and could not be started again; "
        "the end of its log:"
    )
    assert all(line.startswith("    | ") for line in quoted[:-1])
    assert "unable to open database file" in said
    assert remedy.startswith("  to do:    run the same command again: finished stages are kept")
