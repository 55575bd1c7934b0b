"""The most accurate file that is fast enough, found in MLflow and run. Needs MLflow's server only.

    python examples/best_file.py digits --precision int8 --under 3
    python examples/best_file.py digits --tracking http://127.0.0.1:5000 --image photo.jpg

Nothing of the store or of an experiment's file is read: metrics, model and picture are MLflow's.
"""

import argparse
import os
import sys
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import Model
from rich.console import Console
from rich.table import Table

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
MODEL = "detector"
SHOWN = {"metrics.map": "mAP", "metrics.latency_ms": "ms", "metrics.size_mb": "MB"}
MIN_SCORE = 0.3
console = Console()


def main() -> int:
    """Print what is there, then what the best of it sees."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", help="name of an experiment in MLflow")
    default = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlruns/mlflow.db"
    parser.add_argument("--tracking", default=default, help="MLflow's URI")
    parser.add_argument("--precision", default="int8")
    parser.add_argument(
        "--under", type=float, default=3.0, metavar="MS", help="latency, one thread"
    )
    parser.add_argument("--image", type=Path, help="by default the picture logged with the model")
    given = parser.parse_args()
    mlflow.set_tracking_uri(given.tracking)
    runs = fast_enough(given.experiment, given.precision, given.under)
    if runs.empty:
        return fail(
            f"no {given.precision} file under {given.under:g} ms in the experiment "
            f"{given.experiment!r} of {given.tracking}"
        )
    show(runs)
    folder = mlflow.artifacts.download_artifacts(f"runs:/{runs.iloc[0].run_id}/{MODEL}")
    example = given.image.read_bytes() if given.image else picture(folder)
    found = mlflow.pyfunc.load_model(folder).predict(pd.DataFrame({"image": [example]}))
    console.print(found[found.score > MIN_SCORE].round(2).to_string(index=False))
    return 0


def fast_enough(experiment: str, precision: str, under: float) -> pd.DataFrame:
    """Runs of exact files below a latency, the highest mAP first, the faster of two equal ones."""
    if mlflow.get_experiment_by_name(experiment) is None:
        return pd.DataFrame()
    return mlflow.search_runs(
        experiment_names=[experiment],
        filter_string=f"tags.precision = '{precision}' and tags.exact = 'true' "
        f"and metrics.latency_ms < {under}",
        order_by=["metrics.map DESC", "metrics.latency_ms ASC"],
    )


def show(runs: pd.DataFrame) -> None:
    """One row per file."""
    table = Table("file", *SHOWN.values())
    for _, run in runs.iterrows():
        numbers = [f"{run[name]:.4f}" for name in SHOWN]
        table.add_row(run["tags.mlflow.runName"], *numbers)
    console.print(table)


def picture(folder: str) -> bytes:
    """The input example that was logged with the model."""
    example = Model.load(folder).load_input_example(folder)
    return bytes(example["image"].iloc[0])


def fail(message: str) -> int:
    """Say why there is nothing to do."""
    console.print(message, soft_wrap=True)
    return 2


if __name__ == "__main__":
    sys.exit(main())
