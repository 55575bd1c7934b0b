"""`make serve` as a user meets it: deployments, runs, retraining and promotion, and its end."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch

from tests.services.conftest import EXPERIMENT, ROOT, Service

pytestmark = pytest.mark.services

GOLDEN = ROOT / "tests" / "golden" / "yolox_nano_digits.pth"
FILE = "explicit · onnx2tf · float32"
UNHEARD = -50.0
"""Bias of a class that is never found: its score is 2e-22."""


def settings(service: Service, weights: Path, *more: str) -> str:
    """A tiny experiment without training, as the parameter ``overrides``."""
    return json.dumps(
        [
            "name=tiny",
            f"store={service.store}",
            f"tracking={service.tracking}",
            "dataset.train_images=16",
            "dataset.val_images=16",
            "training.epochs=0",
            f"training.checkpoint={weights}",
            "variants.padding=['explicit']",
            "evaluation.parity_images=4",
            "evaluation.latency={'runs': 3, 'warmup': 1, 'threads': [1]}",
            "promotion.latency_ratio=100",
            "promotion.parity_loss=0.05",
            *more,
        ]
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The golden network, and the same with classes that it finds no more."""
    folder = tmp_path_factory.mktemp("weights")
    found = {"good": GOLDEN}
    for name, classes in (("half", 5), ("bad", 9)):
        checkpoint = torch.load(GOLDEN, weights_only=True)
        for key, value in checkpoint["state_dict"].items():
            if "multi_level_conv_cls" in key and key.endswith(".bias"):
                value[:classes] = UNHEARD
        found[name] = folder / f"{name}.pth"
        torch.save(checkpoint, found[name])
    return found


@pytest.fixture(scope="module")
def first_run(service: Service, weights: dict[str, Path]) -> None:
    overrides = settings(service, weights["half"])
    service.run("detector-to-tflite/main", experiment_file=EXPERIMENT, overrides=overrides)


def retrain(service: Service, weights: Path, **parameters: object) -> str:
    """Runs the deployment; returns what it decided, as its run in the worker's log says."""
    overrides = settings(service, weights)
    log = service.run(
        "retrain/weekly", experiment_file=EXPERIMENT, overrides=overrides, **parameters
    )
    lines = [line for line in log.splitlines() if line.startswith(("version ", "nothing to do"))]
    return lines[-1]


def champion(service: Service) -> dict:
    return json.loads(service.model("champion", "tiny", "--json"))


def ask(service: Service, path: str, **body: object) -> list[dict]:
    return service.ask("POST", path, body)


def test_every_deployment_is_there_with_a_form_for_its_parameters(service):
    found = {d["name"]: d for d in ask(service, "deployments/filter")}
    assert set(found) == {"main", "matrix", "weekly", "on-change", "store"}
    for deployment in found.values():
        properties = deployment["parameter_openapi_schema"]["properties"]
        assert {"experiment_file", "overrides"} <= set(properties)
        for each in properties.values():
            assert each["description"]
        assert deployment["description"]
        assert deployment["tags"]
        assert properties["overrides"]["type"] == "array"
    (schedule,) = found["weekly"]["schedules"]
    assert (schedule["schedule"]["cron"], schedule["active"]) == ("0 3 * * 1", False)
    assert found["weekly"]["global_concurrency_limit"]["limit"] == 1
    assert not any(found[name]["schedules"] for name in ("main", "matrix", "store"))


def test_a_run_of_a_deployment_is_tracked_where_mlflows_server_shows_it(service, first_run):
    runs = service.runs("tiny")
    assert set(runs) == {"tiny", "training", "PyTorch", "ONNX", FILE}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert 0.2 < runs[FILE].data.metrics["map"] < 0.4  # half of the golden network's
    artifacts = {a["key"] for a in ask(service, "artifacts/filter") if a["key"]}
    assert {"comparison-tiny", "summary-tiny"} <= artifacts


def test_the_first_result_is_champion_and_the_same_data_are_not_trained_on_again(
    service, first_run, weights
):
    assert retrain(service, weights["half"]).startswith(f"version 1 promoted: {FILE}; mAP ")
    assert champion(service)["number"] == "1"
    again = retrain(service, weights["bad"])
    assert again == "nothing to do: version 1 was trained on the same data"
    again = retrain(service, weights["half"], even_if_unchanged="true")
    assert again == f"nothing to do: {FILE} is the champion's very file"


def test_a_worse_one_is_refused_with_its_reason_a_better_one_promoted_and_rolled_back(
    service, first_run, weights, tmp_path
):
    worse = retrain(service, weights["bad"], even_if_unchanged="true")
    assert worse.startswith(f"version 2 refused: {FILE}; mAP 0.0"), worse
    assert "no worse than -0." in worse
    assert "allowed is -0.0050 (1000 draws of the images, seed 0)" in worse
    assert champion(service)["number"] == "1"
    refused = json.loads(service.model("champion", "tiny@challenger", "--json"))
    assert refused["number"] == "2"
    assert refused["tags"]["promotion"] in worse
    assert "| accuracy | **no** | mAP 0.0" in refused["description"]
    assert service.runs("tiny")["tiny"].data.tags["promotion"] == refused["tags"]["promotion"]

    better = retrain(service, weights["good"], even_if_unchanged="true")
    assert better.startswith(f"version 3 promoted: {FILE}; mAP 0."), better
    now = champion(service)
    assert (now["number"], now["aliases"]) == ("3", ["champion"])
    assert float(now["tags"]["decision.map_lower_bound"]) > 0
    file = tmp_path / "model.tflite"
    service.model("pull", "tiny@champion", "-o", str(file))
    made = [path.read_bytes() for path in service.store.glob("tflite/*/model.tflite")]
    assert file.read_bytes() in made

    assert "version 1 is the champion again" in service.model("rollback", "tiny")
    assert champion(service)["number"] == "1"
    artifacts = ask(service, "artifacts/latest/filter")
    (promotion,) = (a for a in artifacts if a["key"] == "promotion-tiny")
    assert "| parity | yes |" in promotion["data"]


def test_a_clean_up_spares_what_the_champion_was_made_of(service, first_run):
    before = {path.parent for path in service.store.glob("*/*/manifest.json")}
    log = service.run(
        "clean-store/store",
        experiment_file=EXPERIMENT,
        overrides=settings(service, GOLDEN),
        older_than_days=0,
        dry_run="false",
    )
    after = {path.parent for path in service.store.glob("*/*/manifest.json")}
    assert f"removed {len(before) - len(after)} artefacts" in log
    assert after < before
    for stage, key in (
        tag.split("/")
        for name, tag in champion(service)["tags"].items()
        if name.startswith("artefact.")
    ):
        assert service.store / stage / key in after


def test_a_second_service_is_refused_while_this_one_runs(service):
    done = service.command("flows.services.serve")
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"runs already, in {ROOT}, with Prefect at {service.prefect}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_signal_stops_everything_and_frees_the_ports(service):
    family = service.family()
    assert len(family) >= 3
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(timeout=120) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    for url in (service.prefect, service.mlflow):
        socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))).close()


@pytest.mark.parametrize("option", ["--prefect-port", "--mlflow-port"])
def test_a_port_that_is_taken_is_a_message_and_nothing_is_left(tmp_path, option, service):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "flows.services.serve",
                option,
                str(port),
                "--tracking",
                str(tmp_path),
            ],
            cwd=ROOT,
            env={**service.environment, "PREFECT_HOME": str(tmp_path / "prefect")},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"port {port} for " in done.stderr
    assert "cannot be used: [Errno 98] Address already in use" in done.stderr
    assert option in done.stderr
