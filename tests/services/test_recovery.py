"""`kill -9` of the worker in the middle of a run: the run is Crashed, and its re-run goes on."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from mmdet2tflite.files.digest import file_sha256
from tests.services.conftest import EXPERIMENT, ROOT, SECONDS_TO_RUN, Service

pytestmark = pytest.mark.services

EPOCHS = 4
GOLDEN = ROOT / "tests" / "golden" / "yolox_nano_digits.pth"
MAIN, RETRAIN = "detector-to-tflite/main", "retrain/weekly"


@dataclass
class Place:
    """A store of this module's own, and the runs that fill it."""

    service: Service
    name: str = "recovery"

    @property
    def store(self) -> Path:
        return self.service.folder / "recovery"

    def parameters(self, *more: str) -> dict[str, Any]:
        """A training of some seconds per epoch, and a file of what it made."""
        return {
            "experiment_file": EXPERIMENT,
            "overrides": [
                f"name={self.name}",
                f"store={self.store}",
                f"tracking={self.service.tracking}",
                "dataset.train_images=16",
                "dataset.val_images=8",
                f"training.epochs={EPOCHS}",
                "training.batch_size=8",
                "training.val_interval=1",
                "training.workers=0",
                "evaluation.parity_images=4",
                "evaluation.latency={'runs': 3, 'warmup': 1, 'threads': [1]}",
                *more,
            ],
        }

    def ask(self, method: str, path: str, **body: Any) -> Any:
        return self.service.ask(method, path, body or None)

    def start(self, deployment: str, parameters: dict[str, Any]) -> str:
        """``prefect deployment run``; returns the run's id."""
        found = self.ask("GET", f"deployments/name/{deployment}")
        path = f"deployments/{found['id']}/create_flow_run"
        return self.ask("POST", path, parameters=parameters)["id"]

    def state(self, run: str) -> str:
        return self.ask("GET", f"flow_runs/{run}")["state"]["type"]

    def unfinished(self) -> list[str]:
        """Of all runs, flows that runs called, and tasks."""
        names = ["PENDING", "RUNNING", "CANCELLING"]
        return [
            each["name"]
            for kind in ("flow_runs", "task_runs")
            for each in self.ask(
                "POST", f"{kind}/filter", **{kind: {"state": {"type": {"any_": names}}}}
            )
        ]

    def slots(self, deployment: str) -> int:
        """How many of a deployment's places are taken."""
        return self.ask("GET", f"deployments/name/{deployment}")["global_concurrency_limit"][
            "active_slots"
        ]

    def workers(self) -> list[psutil.Process]:
        words = ["prefect", "worker", "start"]
        return [each for each in self.service.family() if command(each)[3:6] == words]

    def work(self, pattern: str) -> list[Path]:
        return list((self.store / ".work").glob(pattern))

    def manifests(self) -> dict[Path, tuple[int, bytes]]:
        """When each was written, and what it says."""
        paths = self.store.glob("*/*/manifest.json")
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}

    def scan(self) -> None:
        """Every artefact is complete and what its manifest says."""
        folders = [path for path in self.store.glob("[!.]*/*") if path.is_dir()]
        assert folders
        for folder in folders:
            manifest = json.loads((folder / "manifest.json").read_text())
            files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
            assert files == {"manifest.json", *manifest["files"]}
            for name, file in manifest["files"].items():
                assert file_sha256(folder / name) == file["sha256"], folder / name


@pytest.fixture(scope="module")
def place(service: Service) -> Place:
    return Place(service)


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS_TO_RUN
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.1)


def command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # gone by now
        return []


def is_dead(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill_worker(place: Place, run: str) -> None:
    """With all that it started; then another one is there, and the run has ended."""
    (worker,) = place.workers()
    family = [worker, *worker.children(recursive=True)]
    assert len(family) >= 3  # with the flow and the tool
    worker.kill()
    wait_for(lambda: all(is_dead(each) for each in family))
    wait_for(lambda: place.state(run) == "CRASHED")
    assert place.unfinished() == []
    wait_for(place.workers)


def run_again(place: Place, deployment: str, parameters: dict[str, Any]) -> None:
    """The re-run ends well, and leaves what was finished and nothing half-written."""
    before = place.manifests()
    place.scan()
    given = {name: json.dumps(value) for name, value in parameters.items()}
    given["experiment_file"] = parameters["experiment_file"]
    place.service.run(deployment, **given)
    after = place.manifests()
    assert {path: after[path] for path in before} == before
    assert len(after) > len(before)
    place.scan()
    assert [path for path in place.work("**/*") if path.is_file() and path.suffix != ".lock"] == []


def test_a_training_goes_on_from_its_last_epoch_and_finished_stages_stay(place):
    parameters = place.parameters("variants.padding=['explicit']")
    run = place.start(MAIN, parameters)
    wait_for(lambda: place.work("checkpoint/*/run/epoch_2.pth"))  # so the first one is complete
    kill_worker(place, run)
    (tracked,) = place.service.runs(place.name).values()
    assert tracked.info.status == "RUNNING"

    run_again(place, MAIN, parameters)

    (checkpoint,) = place.store.glob("checkpoint/*")
    log = (checkpoint / "log" / "train.log").read_text()
    assert "going on from epoch_" in log
    curves = json.loads((checkpoint / "log" / "curves.json").read_text())
    assert [line["epoch"] for line in curves if "loss" in line] == list(range(1, EPOCHS + 1))
    client = place.service.client()
    assert client.get_run(tracked.info.run_id).info.status == "KILLED"
    runs = place.service.runs(place.name)
    assert {each.info.status for each in runs.values()} == {"FINISHED"}


def test_a_conversion_is_made_again_and_the_place_of_its_run_is_free(place):
    """Of a flow that calls another one, and whose runs wait for each other."""
    parameters = place.parameters(
        "name=recovered",
        "training.epochs=0",
        f"training.checkpoint={GOLDEN}",
        "variants.padding=['mirror']",
    )
    run = place.start(RETRAIN, parameters)
    wait_for(lambda: place.work("tflite/*/log/*.log"))
    assert place.slots(RETRAIN) == 1
    kill_worker(place, run)
    assert place.slots(RETRAIN) == 0

    run_again(place, RETRAIN, parameters)

    assert place.slots(RETRAIN) == 0
    runs = place.service.runs("recovered")
    assert {each.info.status for each in runs.values()} == {"FINISHED"}
