"""Files made by Dask: who makes them, what is told of it, and what becomes of processes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import distributed
import httpx
import psutil
import pytest

from flows.running import dask_runner, dask_worker
from flows.running.task_runners import check_machines
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.loading import parse_experiment
from mmdet2tflite.errors import ConfigError, ServiceError
from tasks.servers.password import Password

pytestmark = [pytest.mark.flow, pytest.mark.long]

ROOT = Path(__file__).parents[3]
SECONDS = 240.0
"""Long after which nothing will come any more; nothing is measured by it."""
SECONDS_TO_END = 30.0
OWN_CLUSTER = {"kind": "dask", "workers": 2}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of a flow: a Prefect server for all tests, locks of its own, silence."""
    folder = tmp_path_factory.mktemp("dask")
    variables = {
        **os.environ,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "TMPDIR": str(folder),
        **Password("me:s3cret").environment,
    }
    with socket.create_server(("127.0.0.1", 0)) as place:
        url = f"http://127.0.0.1:{place.getsockname()[1]}/api"
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mmdet2tflite.processes.child",
                "tasks.servers.server",
                str(place.fileno()),
            ],
            pass_fds=[place.fileno()],
            cwd=ROOT,
            env=variables,
        )
    try:
        httpx.get(f"{url}/health", timeout=SECONDS).raise_for_status()
        yield {**variables, "PREFECT_API_URL": url}
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts the flow with these words; it is killed if it is still there at the end."""
    started = []

    def start(*words: str, **variables: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.flows.dask_steps", json.dumps(OWN_CLUSTER)]
        process = subprocess.Popen(
            [*command, str(tmp_path), *words],
            cwd=ROOT,
            env={**environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a terminal sends Ctrl-C to a group
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def end(process: subprocess.Popen) -> tuple[dict[str, dict], str]:
    """What the flow says of each word, and all else that was printed."""
    out, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, out + errors
    lines = out.splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    rest = [line for line in lines if not line.startswith("{")]
    return {each["word"]: each for each in found}, "\n".join(rest) + errors


def test_two_processes_make_files_at_once_and_what_is_told_of_them_comes_back(start):
    found, printed = end(start("meet-1", "meet-2", "refuse"))
    processes = {found[word]["process"] for word in ("flow", "meet-1", "meet-2")}
    assert len(processes) == 3
    assert found["refuse"]["error"] == "ModelError"
    assert found["refuse"]["text"].splitlines() == [
        "Model: it cannot be done",
        "  expected: something else",
        "  to do:    do that",
    ]
    assert sorted(re.sub(r" +[0-9.]+ s$", "", line) for line in printed.splitlines()) == [
        "✓ word → artefact  meet-1",
        "✓ word → artefact  meet-2",
        "✗ word → artefact  refuse: Model: it cannot be done",
    ]


def test_the_file_of_a_worker_that_was_killed_is_made_by_another_one(start, tmp_path):
    found, _ = end(start("die-once"))
    assert found["die-once"]["process"] != found["flow"]["process"]
    (manifest,) = tmp_path.glob("dataset/*/manifest.json")
    assert json.loads(manifest.read_text())["value"]["classes"] == ["die-once"]


def test_what_kills_every_worker_is_given_up_with_a_reason(start):
    found, _ = end(start("die", DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1"))
    assert found["die"]["error"] == "ToolFailed"
    assert "2 Dask workers died, one after the other, making this" in found["die"]["text"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_and_their_tools_end_with_the_flow(start, tmp_path, how):
    process = start("hang")
    deadline = time.monotonic() + SECONDS
    while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    family = psutil.Process(process.pid).children(recursive=True)
    tool, grandchild = (int(pid) for pid in (tmp_path / "pids").read_text().split())
    assert {tool, grandchild} <= {each.pid for each in family}
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    process.communicate(timeout=SECONDS)
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    if how == signal.SIGKILL:  # nobody is left to ask a tool's own child to end: as without Dask
        family = [each for each in family if each.pid != grandchild]
    _, alive = psutil.wait_procs(family, timeout=SECONDS_TO_END)
    assert [each.as_dict(["cmdline", "status"]) for each in alive] == []


def experiment(folder: Path, address: str) -> Experiment:
    values = {"name": "any", "dataset": {"kind": "digits"}, "store": str(folder / "artifacts")}
    return parse_experiment({**values, "runner": {"kind": "dask", "address": address}})


def test_an_address_where_nobody_listens_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_runner, "SECONDS_TO_ANSWER", 1)
    with pytest.raises(ServiceError, match="no Dask scheduler answers at tcp"):
        check_machines(experiment(tmp_path, "tcp://127.0.0.1:9"))


def test_a_scheduler_without_workers_is_refused(tmp_path):
    with cluster(workers=0) as here, pytest.raises(ServiceError, match="has no worker"):
        check_machines(experiment(tmp_path, here.scheduler_address))


def test_a_worker_that_cannot_do_the_work_is_refused_by_name_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_worker, "_prefect", lambda: "http://127.0.0.1:9/api")
    with cluster(workers=1) as here:
        (worker,) = (each.address for each in here.workers.values())
        with pytest.raises(ServiceError) as caught:
            check_machines(experiment(tmp_path, here.scheduler_address))
    assert f"the Dask worker {worker} cannot make files for this run: " in caught.value.found
    assert "no Prefect server answers there at http://127.0.0.1:9/api" in caught.value.found


def cluster(workers: int) -> distributed.LocalCluster:
    return distributed.LocalCluster(
        n_workers=workers, processes=False, protocol="tcp", dashboard_address=None
    )


def test_a_worker_with_another_store_or_another_source_is_refused(tmp_path, monkeypatch):
    with dask_worker.seen_by_workers(str(tmp_path / "store")) as question:
        (token,) = (tmp_path / "store").iterdir()
        elsewhere = dask_worker.Question(
            str(tmp_path), question.token, question.checkout, question.prefect
        )
        assert "is not that of this process" in dask_worker.refusal(elsewhere)
        monkeypatch.chdir(tmp_path)
        assert "has another source" in dask_worker.refusal(question)
    assert not token.exists()


@pytest.mark.parametrize(
    ("runner", "message"),
    [
        ({"kind": "ray"}, "ray"),
        ({"kind": "dask", "address": "host:8786"}, "runner.address"),
        ({"kind": "dask", "address": "tcp://host:8786", "workers": 2}, "only one of them"),
        ({"kind": "threads", "workers": 2}, "unknown key 'runner.workers'"),
    ],
)
def test_a_runner_that_does_not_exist_or_contradicts_itself_is_refused(runner, message):
    with pytest.raises(ConfigError) as caught:
        parse_experiment({"name": "any", "dataset": {"kind": "digits"}, "runner": runner})
    assert message in str(caught.value)
