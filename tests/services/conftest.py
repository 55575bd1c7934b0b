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

import mlflow
import psutil
import pytest

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
    process: subprocess.Popen[str]
    environment: dict[str, str]
    prefect: str
    mlflow: str

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
        return mlflow.MlflowClient(self.mlflow)

    def runs(self, name: str) -> dict[str, mlflow.entities.Run]:
        """The newest run of each name in an MLflow experiment, asked of MLflow's server."""
        client = self.client()
        experiment = client.get_experiment_by_name(name)
        assert experiment is not None
        found = client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])
        return {run.info.run_name: run for run in found}

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def serving(folder: Path, environment: Mapping[str, str]) -> Iterator[Service]:
    """`make serve`, which keeps in a folder what it keeps on this machine, until the block ends."""
    ports = free_ports(2)
    words = ["--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1])]
    log = folder / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.serve", *words, "--tracking", str(folder / "mlruns")],
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
        user = {**environment, "PREFECT_API_URL": f"{prefect}/api"}
        yield Service(folder, process, user, prefect, tracking)
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
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI"):
        environment.pop(name, None)
    with serving(folder, environment) as service:
        yield service
