"""The server of a run: there when it is needed, gone with the run, and none beside another one."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from mmdet2tflite.errors import ServiceError
from tasks import server

ROOT = Path(__file__).parents[2]
SECONDS = 30.0
"""How long a test waits for what should happen at once."""
RUN = """
import time
from tasks.server import start_server
wait = start_server()
from prefect.settings import get_current_settings
wait()
print(get_current_settings().api.url, flush=True)
time.sleep(600)
"""


def test_none_is_started_where_the_settings_name_one(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        wait = server.start_server()
    monkeypatch.setattr(server, "ATTEMPTS", 1)
    with pytest.raises(ServiceError, match=r"no Prefect server answers at http://127.0.0.1:1/api"):
        wait()


def test_a_server_that_does_not_answer_is_named_without_its_password(monkeypatch):
    monkeypatch.setattr(server, "ATTEMPTS", 1)
    with pytest.raises(ServiceError) as caught:
        server.check_server("MLflow", "http://me:s3cret@127.0.0.1:1/health", "start it")
    assert "http://me:***@127.0.0.1:1" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.flow
def test_it_answers_where_the_settings_say_and_dies_with_a_run_that_is_killed(tmp_path):
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path)}
    environment.pop("PREFECT_API_URL", None)
    with subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as run:
        try:
            url = run.stdout.readline().strip()
            assert httpx.get(f"{url}/health", timeout=SECONDS).json() is True
            (child,) = psutil.Process(run.pid).children()
        finally:
            run.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + SECONDS
    with suppress(psutil.NoSuchProcess):
        while child.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.flow
def test_runs_that_start_at_once_on_an_empty_database_all_have_a_server(tmp_path):
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path)}
    environment.pop("PREFECT_API_URL", None)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", RUN],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        urls = [run.stdout.readline().strip() for run in runs]
        assert len(set(urls)) == 2
        for url in urls:
            answer = httpx.post(f"{url}/flows/count", json={}, timeout=SECONDS)
            assert answer.json() == 0
    finally:
        for run in runs:
            run.terminate()
            run.communicate()
