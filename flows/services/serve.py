"""``make serve``: Prefect's server, a worker that carries out its runs, and MLflow, in one command.

Everything listens on this machine alone, logs into ``<tracking>/serve/``, and ends with this
process, however it ends. Ctrl-C or SIGTERM end it in order: the worker with its runs, MLflow, and
the server last, so that it hears what became of the runs.
"""

import json
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from filelock import Timeout

from flows.services.services import Services
from mmdet2tflite.cli.command_line import run_command
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.config.project import project_root
from mmdet2tflite.errors import ConfigError, ServiceError
from mmdet2tflite.files.yaml_file import read_yaml
from mmdet2tflite.processes.lock import file_lock
from mmdet2tflite.processes.replace_process import FLOW_ENVIRONMENT
from mmdet2tflite.processes.toolchain import run_python
from mmdet2tflite.report.terminal import console
from mmdet2tflite.safe_text import without_password
from tasks.servers.databases import TRACKING_URI, check_databases
from tasks.servers.doors import HOST, listen
from tasks.servers.own_server import SECONDS_TO_START
from tasks.servers.password import Password, service_password, write_shell_file

POOL, TEMPLATE = "local", Path("configs", "work_pools", "local.json")
DEPLOYMENTS = "prefect.yaml"
SECONDS_TO_DEPLOY = 300.0
POLL_SECONDS = 0.5


class _Stopped(BaseException):
    """A signal asked for the end."""


def serve(
    prefect_port: int = 4200, mlflow_port: int = 5000, tracking: Path = Path("mlruns")
) -> None:
    """Start all, deploy all, and wait for a signal.

    Raises:
        ConfigError: a deployment names an experiment that is wrong, or the password is not safe.
        ServiceError: it runs already, a database cannot be used, a port is taken, or a server ended
            by itself; a worker may do so a few times, and is started again.
        ToolFailed: Prefect refused the deployments.
    """
    root, logs = project_root(), tracking.absolute() / "serve"
    prefect, mlflow = f"http://{HOST}:{prefect_port}", f"http://{HOST}:{mlflow_port}"
    logs.mkdir(parents=True, exist_ok=True)
    check_deployments(root)
    check_databases(tracking)
    password = service_password()
    # For all that is started here. Not among their own variables: those stand in reproduce.sh, too.
    os.environ.update(password.environment)
    with ExitStack() as stack:
        stack.enter_context(_end_by_signal())
        stack.enter_context(_only_one({"Prefect": prefect, "folder": str(root)}))
        services = stack.enter_context(Services(logs, _environment(prefect)))
        with listen(prefect_port, "Prefect", "--prefect-port") as place:
            services.start(
                "server",
                "tasks.servers.server",
                str(place.fileno()),
                "service",
                keep=place.fileno(),
            )
        if not os.environ.get(TRACKING_URI):
            listen(mlflow_port, "MLflow", "--mlflow-port").close()
            words = ("--port", str(mlflow_port), "--tracking", str(tracking.absolute()))
            services.start("mlflow", "tasks.servers.tracking_server", *words)
        else:
            mlflow = os.environ[TRACKING_URI]
        console.print("starting; the first start takes half a minute")
        _wait_for(f"{prefect}/api/health", services)
        _make_pool(root, services.environment)
        run_python(
            "prefect",
            "prefect",
            ["--no-prompt", "deploy", "--all"],
            log=logs / "deploy.log",
            timeout=SECONDS_TO_DEPLOY,
            environment=services.environment,
        )
        _start_worker(services)
        if mlflow.startswith("http"):
            _wait_for(f"{mlflow}/health", services)
        _announce(prefect, mlflow, logs, password)
        while True:
            services.check()
            time.sleep(POLL_SECONDS)


def check_deployments(root: Path) -> None:
    """Every deployment's experiment can be read.

    Raises:
        ConfigError: one cannot; it would fail whenever it is due.
    """
    given = read_yaml((root / DEPLOYMENTS).read_text(encoding="utf-8"))
    for deployment in given["deployments"]:
        parameters = deployment["parameters"]
        try:
            load_experiment(root / parameters["experiment_file"], parameters["overrides"])
        except ConfigError as error:
            raise ConfigError(
                f"{DEPLOYMENTS}, deployment {deployment['name']}: {error.found}",
                error.expected,
                error.remedy,
            ) from None


def _environment(prefect: str) -> dict[str, str]:
    return {
        **FLOW_ENVIRONMENT,
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",  # the logs are files here
        "PREFECT_API_URL": f"{prefect}/api",
        # `python` in the work pool's command is this one.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }


@contextmanager
def _end_by_signal() -> Iterator[None]:
    """The first SIGINT or SIGTERM ends the block; later ones do not disturb its cleaning up."""

    def stop(*_: object) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise _Stopped

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, stop)
    try:
        yield
    except _Stopped:
        console.print("stopped")


@contextmanager
def _only_one(what: dict[str, str]) -> Iterator[None]:
    """One service for each of Prefect's databases. Raises ServiceError."""
    from prefect.settings import get_current_settings

    home = Path(get_current_settings().home)
    home.mkdir(parents=True, exist_ok=True)
    note, lock = home / "mmdet2tflite-serve.json", file_lock(home / "mmdet2tflite-serve.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        other = json.loads(note.read_text(encoding="utf-8"))
        raise ServiceError(
            f"`make serve` runs already, in {other['folder']}, with Prefect at {other['Prefect']}",
            f"no other one with the database in {home}",
            "use that one, or stop it (Ctrl-C)",
        ) from None
    try:
        note.write_text(json.dumps(what), encoding="utf-8")
        yield
    finally:
        lock.release()


def _wait_for(health: str, services: Services) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        services.check()
        try:
            if httpx.get(health, timeout=SECONDS_TO_START).is_success:
                return
        except httpx.TransportError:
            time.sleep(POLL_SECONDS)
    raise ServiceError(f"{health} did not answer within {SECONDS_TO_START} s", "an answer")


def _make_pool(root: Path, environment: dict[str, str]) -> None:
    """Or give the one of an earlier start this version's template: what runs is fixed there."""
    os.environ.update(environment)
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.context import refresh_global_settings_context
    from prefect.exceptions import ObjectAlreadyExists

    refresh_global_settings_context()
    template: dict[str, Any] = json.loads((root / TEMPLATE).read_text(encoding="utf-8"))
    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(
                WorkPoolCreate(name=POOL, type="process", base_job_template=template)
            )
        except ObjectAlreadyExists:
            client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))


def _start_worker(services: Services) -> None:
    """A run that was left when a worker of ours died, now or before, is marked as Crashed."""
    from flows.services.dead_runs import close_runs_of

    name = socket.gethostname()

    def close_runs() -> None:
        for run in close_runs_of(name, POOL):
            console.print(f"run {run} died with its worker; it is marked as Crashed")

    close_runs()
    words = ("worker", "start", "--pool", POOL, "--type", "process", "--limit", "1", "--name", name)
    services.start("worker", "prefect", *words, on_death=close_runs)


def _announce(prefect: str, mlflow: str, logs: Path, password: Password) -> None:
    shell = write_shell_file(f"{prefect}/api", password, not os.environ.get(TRACKING_URI))
    for line in (
        f"Prefect  {prefect}  deployments, runs, schedules",
        f"MLflow   {without_password(mlflow)}  models, metrics, files",
        f"password {password.place}",
        f"logs     {logs}",
        "",
        f"  source {shlex.quote(str(shell))}",
        "  prefect deployment run detector-to-tflite/main --watch",
        "",
        "Ctrl-C stops all.",
    ):
        console.print(line, soft_wrap=True, markup=False)


if __name__ == "__main__":
    run_command(serve)
