"""The main path as a user starts it: the real command, a temporary Prefect server, real tools."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

pytestmark = pytest.mark.flow

ROOT = Path(__file__).parents[2]
TINY = (
    "name=tiny",
    "dataset.train_images=16",
    "dataset.val_images=8",
    "training.epochs=2",
    "training.batch_size=8",
    "training.val_interval=1",
    "training.workers=0",
    "variants.padding=[explicit,mirror,auto]",
    "evaluation.latency.runs=3",
    "evaluation.latency.warmup=1",
)


# The third is what `auto` chooses for YOLOX-nano: its strided convolutions are depthwise.
VARIANTS = tuple(f"{name} · onnx2tf · float32" for name in ("explicit", "mirror", "widen"))
MODELS = ("PyTorch", "ONNX", *VARIANTS)


class Run:
    """Runs the command in a place of its own and keeps what it printed."""

    def __init__(self, folder: Path) -> None:
        self.store, self.tracking = folder / "artifacts", folder / "mlruns"
        self.prefect = folder / "prefect"
        self._environment = {**os.environ, "PREFECT_HOME": str(self.prefect)}

    def __call__(self, *overrides: str, experiment: str = "digits") -> subprocess.CompletedProcess:
        places = (f"store={self.store}", f"tracking={self.tracking}")
        words = [word for item in (*TINY, *places, *overrides) for word in ("--set", item)]
        file = ROOT / "configs" / "experiments" / f"{experiment}.yaml"
        command = [sys.executable, "-m", "mmdet2tflite.cli", "run", str(file), *words]
        return subprocess.run(
            command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False
        )

    def manifests(self) -> dict[str, list[dict]]:
        """All finished artefacts by stage."""
        found: dict[str, list[dict]] = {}
        for path in sorted(self.store.glob("*/*/manifest.json")):
            found.setdefault(path.parts[-3], []).append(json.loads(path.read_text()))
        return found

    def prefect_artifacts(self) -> dict[str, str]:
        """Key and type of those that have a key."""
        with closing(sqlite3.connect(self.prefect / "prefect.db")) as database:
            rows = database.execute("select key, type from artifact where key is not null")
            return {key: kind for key, kind in rows if kind != "result"}

    def mlflow_runs(self) -> list[mlflow.entities.Run]:
        """Every run of the experiment ``tiny``, the newest first."""
        client = mlflow.MlflowClient(f"sqlite:///{self.tracking / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("tiny")
        assert experiment is not None
        return list(client.search_runs([experiment.experiment_id]))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("flow"))


@pytest.fixture(scope="module")
def first(run: Run) -> subprocess.CompletedProcess:
    result = run()
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def test_the_first_run_makes_every_stage_and_prints_the_comparison(run, first):
    made = {stage: len(manifests) for stage, manifests in run.manifests().items()}
    assert made == {
        "dataset": 1,
        "checkpoint": 1,
        "onnx": 1,
        "rewritten": 3,
        "tflite": 3,
        "report": 5,
        "comparison": 1,
    }
    for model in MODELS:
        assert f"│ {model} " in first.stdout
    assert run.prefect_artifacts() == {"comparison-tiny": "table", "summary-tiny": "markdown"}


def test_mlflow_holds_a_parent_a_training_with_curves_and_a_child_per_model(run, first):
    runs = {r.info.run_name: r for r in run.mlflow_runs()}
    assert set(runs) == {"tiny", "training", *MODELS}
    assert all(r.info.status == "FINISHED" for r in runs.values())
    parent = runs["tiny"].info.run_id
    assert all(r.data.tags["mlflow.parentRunId"] == parent for n, r in runs.items() if n != "tiny")
    client = mlflow.MlflowClient(f"sqlite:///{run.tracking / 'mlflow.db'}")
    losses = client.get_metric_history(runs["training"].info.run_id, "loss")
    assert [point.step for point in losses] == [1, 2]
    for name in VARIANTS:
        tflite = runs[name]
        wanted = {"map", "size_mb", "pads", "parity.relative", "latency_ms.xnnpack.1"}
        wanted |= {"magnitude.largest"}
        assert wanted <= set(tflite.data.metrics)
        assert tflite.data.tags["strategy"] == name.split(" ")[0]
        files = {file.path for file in client.list_artifacts(tflite.info.run_id)}
        assert {"model.tflite", "plan.json", "report.json", "detections.png"} <= files
        assert {"analysis.json", "errors.png", "mistakes.png", "magnitudes.json"} <= files
    assert len({r.data.metrics["latency_ms"] for n, r in runs.items() if n in MODELS}) == 5
    files = {file.path for file in client.list_artifacts(parent)}
    assert {"report.html", "comparison.json", "accuracy.png"} <= files
    assert f"| {VARIANTS[0]} |" in runs["tiny"].data.tags["mlflow.note.content"]
    pads = {name: runs[name].data.metrics["pads"] for name in VARIANTS}
    assert list(pads.values()) == [6, 0, 0]


def test_the_example_finds_a_file_in_mlflow_alone_and_runs_it(run, first):
    def ask(under: float) -> subprocess.CompletedProcess:
        words = ["tiny", "--precision", "float32", "--under", str(under)]
        tracking = f"sqlite:///{run.tracking / 'mlflow.db'}"
        command = [sys.executable, "examples/best_file.py", *words, "--tracking", tracking]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    found = ask(under=1e6)
    assert found.returncode == 0, found.stderr
    assert all(f"│ {name} " in found.stdout for name in VARIANTS)
    nothing = ask(under=0)
    assert nothing.returncode == 2
    assert "no float32 file under 0 ms in the experiment 'tiny'" in nothing.stdout


def test_a_second_run_makes_nothing_and_is_as_complete_in_mlflow(run, first):
    before = run.manifests()
    result = run()
    assert result.returncode == 0, result.stdout + result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith("✓")]
    # dataset, checkpoint, onnx, and for each variant its graph and its file; a report per model;
    # the comparison
    assert len(lines) == 3 + 2 * len(VARIANTS) + len(MODELS) + 1
    assert all(line.endswith("cached") for line in lines)
    assert run.manifests() == before
    runs = run.mlflow_runs()
    newest, earlier = runs[: len(runs) // 2], runs[len(runs) // 2 :]
    for key in ("metrics", "params"):
        assert {r.info.run_name: getattr(r.data, key) for r in newest} == {
            r.info.run_name: getattr(r.data, key) for r in earlier
        }


def test_a_stage_whose_folder_is_gone_runs_again(run, first):
    manifest = next(run.store.glob("tflite/*/manifest.json"))
    for path in sorted(manifest.parent.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    result = run()
    assert result.returncode == 0, result.stdout + result.stderr
    assert manifest.exists()


def test_a_variant_that_fails_has_a_row_with_its_reason_and_the_others_are_done(run, first):
    result = run("variants.padding=[tf_train,explicit]")
    assert result.returncode == 1, result.stdout + result.stderr
    failed, done = "tf_train · onnx2tf · float32", VARIANTS[0]
    reason = "6 of 116 convolutions and poolings do not pad as TensorFlow's SAME does"
    assert f"✗ {failed}: " in result.stdout
    assert f"│ {failed} " in result.stdout
    assert f"│ {done} " in result.stdout
    assert f"failed: {failed}; all others are done" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    runs = {r.info.run_name: r for r in run.mlflow_runs()[:6]}
    assert {name: r.info.status for name, r in runs.items()} == {
        "tiny": "FAILED",
        "training": "FINISHED",
        "PyTorch": "FINISHED",
        "ONNX": "FINISHED",
        failed: "FAILED",
        done: "FINISHED",
    }
    assert reason in runs[failed].data.tags["failed"]
    assert runs[failed].data.tags["strategy"] == "tf_train"
    page = Path(result.stdout.rpartition("report: ")[2].split("\n")[0])
    rows = {
        r["variant"]: r for r in json.loads((page.parent / "comparison.json").read_text())["rows"]
    }
    assert reason in rows[failed]["failure"]
    assert rows[done]["metrics"]["map"] == runs[done].data.metrics["map"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.epoch=3"], "unknown key 'training.epoch'; the nearest known key is 'epochs'"),
        (["detector.input_size=[250,160]"], "the nearest is [256, 160]"),
        (["detector.config=configs/detectors/no.py"], "no.py cannot be read: No such file"),
        (["training.epochs=0", "training.checkpoint=no.pth"], "there is no checkpoint no.pth"),
        (["export.opset=12", "timeouts.export=1"], "was stopped after its time-out of 1 s"),
    ],
)
def test_a_users_mistake_ends_with_status_2_a_message_and_no_traceback(
    run, first, overrides, message
):
    before = run.manifests()
    result = run(*overrides)
    assert result.returncode == 2, result.stdout + result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert run.manifests() == before


def test_a_mistake_in_the_data_is_said_before_anything_slow_starts(run, first):
    before = run.mlflow_runs()
    splits = "train: {annotations: a.json}, val: {annotations: b.json}"
    result = run(f"dataset={{kind: coco, root: /nowhere, {splits}}}")
    assert result.returncode == 2
    assert "/nowhere/a.json cannot be read: No such file" in result.stderr
    assert len(run.mlflow_runs()) == len(before)  # MLflow was not even imported


def test_a_run_that_failed_says_so_in_mlflow_with_its_reason(run, first):
    run("training.epochs=0", "training.checkpoint=no.pth")
    newest = run.mlflow_runs()[0]
    assert newest.info.status == "FAILED"
    assert "there is no checkpoint no.pth" in newest.data.tags["failed"]
