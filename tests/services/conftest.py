"""The service of `make serve`, started once, with all that it keeps in a temporary folder."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import mlflow
import psutil
import pytest

from tasks.servers.password import CLIENT, FILE, SERVER, SHELL

ROOT = Path(__file__).parents[2]
SECONDS_TO_START = 600.0
SECONDS_TO_RUN = 1800.0
"""Long after which nothing will come any more; nothing is measured by it."""
READY = "Ctrl-C stops all."
EXPERIMENT = "configs/experiments/digits.yaml"


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        places = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [place.getsockname()[1] for place in places]


@dataclass
class Service:
    """A running service and what a user does with it."""

    folder: Path
    home: Path
    """Prefect's."""
    process: subprocess.Popen[str]
    environment: dict[str, str]
    prefect: str
    mlflow: str

    @property
    def password(self) -> tuple[str, str]:
        """User and password, as a client of HTTP takes them."""
        user, _, password = (self.home / FILE).read_text().strip().partition(":")
        return user, password

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Of Prefect's API."""
        url = f"{self.prefect}/api/{path}"
        answer = httpx.request(method, url, json=body, auth=self.password, timeout=60)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    @property
    def tracking(self) -> Path:
        return self.folder / "mlruns"

    @property
    def store(self) -> Path:
        return self.folder / "artifacts"

    def command(self, module: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_RUN,
        )

    def run(self, deployment: str, **parameters: object) -> str:
        """``prefect deployment run --watch``; returns what it printed, and the worker's log."""
        words = [f"--param={name}={value}" for name, value in parameters.items()]
        done = self.command("prefect", "deployment", "run", deployment, "--watch", *words)
        log = (self.tracking / "serve" / "worker.log").read_text()
        assert done.returncode == 0, done.stdout + done.stderr + log
        return log

    def model(self, *words: str) -> str:
        """``mmdet2tflite champion`` and the like."""
        place = ("--tracking", str(self.tracking))
        done = self.command("mmdet2tflite.cli", *words, *place)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def client(self) -> mlflow.MlflowClient:
        """MLflow's server answers it."""
        user, password = self.password
        return mlflow.MlflowClient(self.mlflow.replace("://", f"://{user}:{password}@"))

    def runs(self, name: str) -> dict[str, mlflow.entities.Run]:
        """The newest run of each name in an MLflow experiment, asked of MLflow's server."""
        client = self.client()
        experiment = client.get_experiment_by_name(name)
        assert experiment is not None
        found = client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])
        return {run.info.run_name: run for run in found}

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def variables(shell: Path) -> dict[str, str]:
    """What a shell exports that sources the file that `make serve` names."""
    words = ["env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", f". '{shell}' && env"]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    pairs = (line.partition("=") for line in lines)
    return {name: value for name, _, value in pairs if name.startswith(("PREFECT_", "MLFLOW_"))}


@contextmanager
def serving(folder: Path, environment: Mapping[str, str]) -> Iterator[Service]:
    """`make serve`, which keeps in a folder what it keeps on this machine, until the block ends."""
    ports = free_ports(2)
    words = ["--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1])]
    log = folder / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "flows.services.serve",
                *words,
                "--tracking",
                str(folder / "mlruns"),
            ],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while READY not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        prefect, tracking = (f"http://127.0.0.1:{port}" for port in ports)
        home = Path(environment["PREFECT_HOME"])
        user = {**environment, **variables(home / SHELL)}
        assert user["PREFECT_API_URL"] == f"{prefect}/api"
        yield Service(folder, home, process, user, prefect, tracking)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    machine = folder / "tmp"  # locks of its own: other runs on this machine do not hold it up
    machine.mkdir()
    environment = {
        **os.environ,
        "PREFECT_HOME": str(folder / "prefect"),
        "TMPDIR": str(machine),
        "PYTHONPATH": str(ROOT),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", CLIENT, SERVER):
        environment.pop(name, None)
    with serving(folder, environment) as service:
        yield service
