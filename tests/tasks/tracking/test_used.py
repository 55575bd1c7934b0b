"""Which artefacts MLflow still refers to, and which tracking is asked."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import mlflow
import pytest

from mmdet2tflite.errors import RegistryError
from tasks.tracking.registry import Registry
from tasks.tracking.tracking_place import named_tracking, use_tracking
from tasks.tracking.used import used_artefacts
from tests.tasks.conftest import FAILED, Tracked

ROOT = Path(__file__).parents[3]
FIRST_RUN = """
import sys
from pathlib import Path
from mmdet2tflite.config.experiment import Experiment
from tasks.tracking.runs import tracked_run

folder = Path(sys.argv[1])
values = {"name": "first", "dataset": {"kind": "digits"}}
places = {"store": str(folder / "artifacts"), "tracking": str(folder / "mlruns")}
with tracked_run(Experiment.model_validate({**values, **places})):
    pass
"""
PAST, FUTURE = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))


def artefacts(run: mlflow.entities.Run) -> set[tuple[str, ...]]:
    return {tuple(v.split("/")) for k, v in run.data.tags.items() if k.startswith("artefact.")}


def test_what_recent_runs_were_about_is_used(tracked: Tracked) -> None:
    found = used_artefacts(tracked.folder / "mlruns", PAST)
    assert found == set().union(*(artefacts(run) for run in tracked.runs.values()))
    assert {stage for stage, _ in found} == {"dataset", "onnx", "openvino", "tflite", "report"}
    assert not artefacts(tracked.runs[FAILED])


def test_of_older_runs_only_versions_with_an_alias_are_used(
    tracked: Tracked, tmp_path: Path
) -> None:
    tracking = tracked.folder / "mlruns"
    before = used_artefacts(tracking, FUTURE)
    one, other = tracked.files
    registry = Registry(tmp_path.name, tracking)
    made_of = {"artefact.checkpoint": "checkpoint/of-the-champion"}
    champion = registry.add(tracked.runs[one], made_of, "")
    registry.promote(champion, replacing=None)
    registry.add(tracked.runs[other], {"artefact.onnx": "onnx/forgotten"}, "")
    registry.add(tracked.runs[one], {}, "")  # now the challenger, in place of the one before
    found = used_artefacts(tracking, FUTURE)
    assert ("checkpoint", "of-the-champion") in found
    assert artefacts(tracked.runs[one]) <= found
    assert ("onnx", "forgotten") not in found | before


def test_a_tracking_without_runs_is_not_that_of_a_store(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="MLflow knows of no run at all"):
        used_artefacts(tmp_path, PAST)


def test_one_process_may_use_one_folder_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("one", "other"):
        assert use_tracking(tmp_path / name) is False
        assert mlflow.get_tracking_uri() == f"sqlite:///{tmp_path / name / 'mlflow.db'}"
        assert named_tracking() == ""


def test_what_the_environment_names_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"sqlite:///{tmp_path}/named.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert use_tracking(tmp_path / "folder") is True
    assert named_tracking() == uri
    assert not (tmp_path / "folder").exists()


def test_runs_that_are_the_first_ones_in_a_folder_all_find_its_database(tmp_path: Path) -> None:
    environment = {name: v for name, v in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST_RUN, str(tmp_path)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], said
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("first")
    assert experiment is not None
    assert len(client.search_runs([experiment.experiment_id])) == 3
