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
from tasks.password import FILE

ROOT = Path(__file__).parents[2]
SECONDS = 30.0
"""How long a test waits for what should happen at once."""
RUN = """
import time
from tasks.server import start_server
wait = start_server()
from prefect.settings import get_current_settings
wait()
settings = get_current_settings()
print(settings.api.url, settings.api.auth_string.get_secret_value(), flush=True)
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


def test_what_is_shown_of_an_address_has_no_password():
    database = "postgresql+psycopg2://mlflow:s3cr:t@db.example:5432/mlflow?user=a@b"
    assert server.without_password(f"no answer from {database}: refused") == (
        "no answer from postgresql+psycopg2://mlflow:***@db.example:5432/mlflow?user=a@b: refused"
    )
    for plain in ("http://127.0.0.1:5000/a:b@c", "http://me@host:80", "sqlite:////a/b.db", ""):
        assert server.without_password(plain) == plain


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
