"""A team's servers by configuration alone: PostgreSQL, S3, MLflow and Prefect on them."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from tasks.servers.password import CLIENT
from tests.services.conftest import EXPERIMENT, ROOT, free_ports, serving
from tests.services.servers import (
    MLFLOW_BUCKET,
    STORE_BUCKET,
    Servers,
    clean_environment,
    command,
    running_servers,
)

pytestmark = pytest.mark.services

GOLDEN = ROOT / "tests" / "golden" / "yolox_nano_digits.pth"
STORE, SERVICE_STORE = f"s3://{STORE_BUCKET}/team", f"s3://{STORE_BUCKET}/service"
MODELS = ("mirror · onnx2tf · float32", "mirror · onnx2tf · int8")
MADE = {
    "dataset": 1,
    "checkpoint": 1,
    "onnx": 1,
    "rewritten": 1,
    "tflite": 1,
    "quantized": 1,
    "report": 4,
    "comparison": 1,
}
MEASURED = {"report", "comparison"}
"""Stages whose files hold times."""
RETRAIN = """
import json, sys
from flows.retrain import retrain

retrain(sys.argv[1], json.loads(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with running_servers() as found:
        yield found


def settings(store: str | Path) -> list[str]:
    """A tiny experiment without training."""
    return [
        "name=shared",
        f"store={store}",
        "dataset.train_images=16",
        "dataset.val_images=16",
        "training.epochs=0",
        f"training.checkpoint={GOLDEN}",
        "variants.padding=[mirror]",
        "variants.precisions=[float32,int8]",
        "evaluation.parity_images=4",
        "evaluation.latency={'runs': 3, 'warmup': 1, 'threads': [1]}",
        "promotion.parity_loss=1",
        "promotion.precision=float32",  # which file is the fastest, depends on the processor
    ]


def run(
    environment: dict[str, str], store: str | Path, *more: str
) -> subprocess.CompletedProcess[str]:
    """``mmdet2tflite run``"""
    words = [word for item in (*settings(store), *more) for word in ("--set", item)]
    return command(environment, "mmdet2tflite.cli", "run", EXPERIMENT, *words)


@pytest.fixture(scope="module")
def first_run(servers: Servers) -> str:
    """On an empty machine; returns what it printed."""
    done = run(servers.machine("one"), STORE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def manifests(objects: dict[str, bytes]) -> dict[tuple[str, str], dict]:
    """By stage and key."""
    places = {tuple(name.split("/")[-3:-1]): name for name in objects if "manifest.json" in name}
    return {place: json.loads(objects[name]) for place, name in places.items()}


def test_what_was_made_lies_in_the_s3_store_and_is_what_the_manifests_say(servers, first_run):
    objects = servers.objects(STORE_BUCKET)
    found = manifests(objects)
    stages = [stage for stage, _ in found]
    assert {stage: stages.count(stage) for stage in stages} == MADE
    named = {"team/.check", "team/last/shared"}
    for (stage, key), manifest in found.items():
        home = f"team/{stage}/{key}"
        named.add(f"{home}/manifest.json")
        for name, file in manifest["files"].items():
            content = objects[f"{home}/{manifest['attempt']}/{name}"]
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
            named.add(f"{home}/{manifest['attempt']}/{name}")
    assert set(objects) == named


def test_postgresql_and_s3_hold_mlflows_runs_which_its_server_shows_without_keys(
    servers, first_run, tmp_path
):
    client = servers.client()
    experiment = client.get_experiment_by_name("shared")
    assert experiment is not None
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"shared", "training", "PyTorch", "ONNX", *MODELS}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert runs[MODELS[0]].data.metrics["map"] > 0.3
    stored = servers.objects(MLFLOW_BUCKET).values()
    for name in MODELS:
        path = client.download_artifacts(runs[name].info.run_id, "model.tflite", str(tmp_path))
        assert Path(path).read_bytes() in stored
        files = {f.path for f in client.list_artifacts(runs[name].info.run_id)}
        assert {"report.json", "plan.json", "detections.png", "manifests"} <= files


def test_postgresql_holds_prefects_runs(servers, first_run):
    database = servers.database("prefect")
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("select state_type from flow_run where state_type is not null")
        assert set(cursor.fetchall()) == {("COMPLETED",)}
        cursor.execute("select count(*) from task_run where state_type = 'COMPLETED'")
        assert cursor.fetchone()[0] >= sum(MADE.values())


def digests(found: dict[tuple[str, str], dict]) -> set[tuple[str, str]]:
    """Of what the tools make alike whenever they are asked to."""
    return {
        (stage, manifest["value"]["digest"])
        for (stage, _), manifest in found.items()
        if stage not in MEASURED
    }


def accuracy(found: dict[tuple[str, str], dict]) -> dict[tuple[str, str], dict[str, float]]:
    """By variant and runtime."""
    reports = [manifest["value"] for (stage, _), manifest in found.items() if stage == "report"]
    return {
        (report["variant"], report["runtime"]): {
            name: value
            for name, value in report["metrics"].items()
            if name.startswith(("map", "size"))
        }
        for report in reports
    }


def test_a_local_store_holds_the_same_by_digest_and_the_same_accuracy(servers, first_run, tmp_path):
    done = run(servers.machine("alone"), tmp_path / "artifacts")
    assert done.returncode == 0, done.stdout + done.stderr
    here = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.glob("artifacts/*/*/manifest.json")
    }
    local, remote = manifests(here), manifests(servers.objects(STORE_BUCKET))

    assert digests(local) == digests(remote)
    assert len(digests(local)) == sum(n for stage, n in MADE.items() if stage not in MEASURED)
    assert accuracy(local) == accuracy(remote)
    assert len(accuracy(local)) == MADE["report"]


def test_another_machine_makes_nothing_again_and_its_champion_is_had_without_keys(
    servers, first_run, tmp_path
):
    before = set(servers.objects(STORE_BUCKET))
    done = subprocess.run(
        [sys.executable, "-c", RETRAIN, EXPERIMENT, json.dumps(settings(STORE))],
        cwd=ROOT,
        env=servers.machine("two"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    arrows = [line for line in done.stdout.splitlines() if line.startswith("✓")]
    assert len(arrows) >= sum(MADE.values())
    assert all(line.endswith(" cached") for line in arrows), done.stdout
    assert set(servers.objects(STORE_BUCKET)) == before
    assert "version 1 promoted: mirror" in done.stdout

    keyless = {n: v for n, v in servers.machine("three").items() if n not in servers.keys}
    shown = command(keyless, "mmdet2tflite.cli", "champion", "shared", "--json")
    assert shown.returncode == 0, shown.stderr
    version = json.loads(shown.stdout)
    assert (version["number"], version["aliases"]) == ("1", ["champion"])
    file = tmp_path / "model.tflite"
    pulled = command(keyless, "mmdet2tflite.cli", "pull", "shared@champion", "-o", str(file))
    assert pulled.returncode == 0, pulled.stderr
    stage_and_key = version["tags"]["artefact.tflite"]
    made = {
        content
        for name, content in servers.objects(STORE_BUCKET).items()
        if name.startswith(f"team/{stage_and_key}/") and name.endswith("/model.tflite")
    }
    assert made == {file.read_bytes()}


def test_compare_prints_on_another_machine_what_the_run_showed(servers, first_run):
    done = command(
        servers.machine("four"), "mmdet2tflite.cli", "compare", EXPERIMENT, "--set", "name=shared",
        "--store", STORE, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [row["variant"] for row in json.loads(done.stdout)["rows"]][2:] == list(MODELS)


def nowhere() -> str:
    return f"http://127.0.0.1:{free_ports(1)[0]}"


@pytest.mark.parametrize(
    ("store", "wrong", "message"),
    [
        (STORE, lambda: {"AWS_SECRET_ACCESS_KEY": "wrong"}, f"{STORE} refuses: The request sign"),
        (STORE, lambda: {"AWS_ACCESS_KEY_ID": "wrong"}, f"{STORE} refuses: The access key ID"),
        (STORE, lambda: {"AWS_ACCESS_KEY_ID": "reader"}, f"{STORE} refuses: Access Denied"),
        (STORE, lambda: {"AWS_ACCESS_KEY_ID": ""}, f"{STORE} cannot be used: Unable to locate"),
        (STORE, lambda: {"AWS_ENDPOINT_URL": nowhere()}, "Could not connect to the endpoint"),
        ("s3://none/team", dict, "s3://none/team: The specified bucket does not exist"),
        (STORE, lambda: {"MLFLOW_TRACKING_URI": nowhere()}, "no MLflow server answers at "),
        (STORE, lambda: {"PREFECT_API_URL": f"{nowhere()}/api"}, "no Prefect server answers at "),
        (STORE, lambda: {"MLFLOW_TRACKING_PASSWORD": "wrong"}, "wants another user or password"),
        (STORE, lambda: {CLIENT: "me:wrong"}, "wants another password"),
        (STORE, lambda: {CLIENT: ""}, "wants a password"),
    ],
    ids=[
        *("secret", "key", "reader", "no key", "server", "bucket", "MLflow", "Prefect"),
        *("MLflow's password", "Prefect's password", "no password of Prefect"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(
    servers, store: str, wrong: Callable[[], dict[str, str]], message: str
):
    objects = servers.objects(STORE_BUCKET).keys() - {"team/.check"}
    done = run(servers.machine("five", **wrong()), store, "dataset.seed=77")
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert "to do: " in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert servers.objects(STORE_BUCKET).keys() - {"team/.check"} == objects


def test_make_serve_says_that_prefects_database_refuses(servers, tmp_path):
    wrong = servers.database("prefect", "wrong").replace("postgresql:", "postgresql+asyncpg:")
    ports = [str(port) for port in free_ports(2)]
    environment = {
        **clean_environment(),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_DATABASE_CONNECTION_URL": wrong,
    }
    words = ["--prefect-port", ports[0], "--mlflow-port", ports[1], "--tracking", str(tmp_path)]
    done = command(environment, "flows.services.serve", *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "password authentication failed" in done.stderr


def test_make_serve_works_with_the_teams_servers_and_with_dask(servers, first_run, tmp_path):
    database = servers.database("service")
    environment = servers.machine(
        "six",
        PREFECT_API_DATABASE_CONNECTION_URL=database.replace("postgresql:", "postgresql+asyncpg:"),
    )
    for name in ("PREFECT_API_URL", CLIENT):  # its own
        del environment[name]
    wanted = [*settings(SERVICE_STORE), "name=service", "runner.kind=dask", "runner.workers=2"]
    with serving(tmp_path, environment) as service:
        service.run("detector-to-tflite/main", overrides=json.dumps(wanted))

    made = {"team": {}, "service": {}}
    for name, content in servers.objects(STORE_BUCKET).items():
        made[name.split("/")[0]][name] = content
    team, own = (manifests(objects) for objects in made.values())
    assert digests(own) == digests(team)
    assert accuracy(own) == accuracy(team)
    assert len(accuracy(own)) == MADE["report"]
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("select state_type from flow_run where state_type is not null")
        assert cursor.fetchall() == [("COMPLETED",)]
    (experiment,) = servers.client().search_experiments(filter_string="name = 'service'")
    assert experiment.artifact_location.startswith("mlflow-artifacts:")
    assert not (tmp_path / "mlruns" / "mlflow.db").exists()
