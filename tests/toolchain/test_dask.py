"""The same experiment by threads of one process and by two processes of Dask: the same files."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.toolchain.golden import EVALUATION, GOLDEN

pytestmark = [pytest.mark.toolchain, pytest.mark.long]

ROOT = Path(__file__).parents[2]
MADE = ("rewritten", "tflite", "quantized")
"""Stages that a run makes side by side."""
RUNNERS = {"threads": [], "dask": ["runner.kind=dask", "runner.workers=2"]}
SETTINGS = (
    "name=tiny",
    "dataset.train_images=16",
    "dataset.val_images=24",
    f"training.checkpoint={GOLDEN}",
    "variants.padding=[mirror,tf_train]",
    "variants.converters=[onnx2tf]",
    "variants.precisions=[float32,int8]",
    "variants.openvino=false",
    f"evaluation.latency.warmup={EVALUATION.latency.warmup}",
    f"evaluation.latency.runs={EVALUATION.latency.runs}",
)


class Run:
    """A finished run in a store that had all but what is made side by side."""

    def __init__(self, folder: Path, store: Path, runner: str) -> None:
        self.store = folder / "artifacts"
        shutil.copytree(store, self.store, ignore=shutil.ignore_patterns(*MADE, ".work", "last"))
        places = (f"store={self.store}", f"tracking={folder / 'mlruns'}")
        settings = (*SETTINGS, *places, *RUNNERS[runner])
        words = [word for setting in settings for word in ("--set", setting)]
        file = ROOT / "configs" / "experiments" / "matrix.yaml"
        environment = {**os.environ, "PREFECT_HOME": str(folder), "TMPDIR": str(folder)}
        self.result = subprocess.run(
            [sys.executable, "-m", "mmdet2tflite.cli", "run", str(file), *words],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def manifests(self, stage: str) -> dict[str, dict]:
        found = self.store.glob(f"{stage}/*/manifest.json")
        return {path.parent.name: json.loads(path.read_text()) for path in found}

    def rows(self) -> dict[str, dict]:
        """Of the comparison, by variant."""
        (path,) = self.store.glob("comparison/*/comparison.json")
        return {row["variant"]: row for row in json.loads(path.read_text())["rows"]}


@pytest.fixture(scope="module")
def run(main_path, tmp_path_factory) -> Callable[[str], Run]:
    runs: dict[str, Run] = {}

    def find(runner: str) -> Run:
        if runner not in runs:
            folder = tmp_path_factory.mktemp(runner)
            runs[runner] = Run(folder, Path(main_path.store.root), runner)
        return runs[runner]

    return find


@pytest.mark.parametrize("stage", MADE)
def test_both_make_the_same_files(run, stage):
    threads, dask = (
        {key: (m["value"]["digest"], m["origin"]) for key, m in run(each).manifests(stage).items()}
        for each in RUNNERS
    )
    assert threads == dask
    assert len(dask) == 1


def test_both_measure_the_same_apart_from_times(run):
    threads, dask = (
        {name: timeless(row) for name, row in run(each).rows().items()} for each in RUNNERS
    )
    assert threads == dask
    assert {name for name, metrics in dask.items() if metrics} == {
        "PyTorch",
        "ONNX",
        "mirror · onnx2tf · float32",
        "mirror · onnx2tf · int8",
    }


def timeless(row: dict) -> dict[str, float]:
    return {name: value for name, value in row["metrics"].items() if "latency" not in name}


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_variant_that_fails_has_its_reason_in_its_row_and_in_the_terminal(run, runner):
    result, rows = run(runner).result, run(runner).rows()
    assert result.returncode == 1, result.stdout + result.stderr
    reason = "6 of 116 convolutions and poolings do not pad as TensorFlow's SAME does"
    for precision in ("float32", "int8"):
        assert reason in rows[f"tf_train · onnx2tf · {precision}"]["failure"]
    assert "✗ onnx → rewritten  tf_train: " in result.stdout
    assert "✓ rewritten → tflite  mirror onnx2tf " in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
