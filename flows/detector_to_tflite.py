"""The main path: a data set becomes a measured TFLite file. One call per arrow."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from prefect import flow

from mmdet2tflite.artifacts import Dataset, OnnxModel, Report, RewrittenModel
from mmdet2tflite.config import Experiment
from mmdet2tflite.exit_status import run_and_report
from mmdet2tflite.experiment_file import load_experiment
from mmdet2tflite.report.terminal import print_comparison
from tasks.checkpoint_to_onnx import checkpoint_to_onnx
from tasks.config_to_dataset import config_to_dataset
from tasks.dataset_to_checkpoint import dataset_to_checkpoint
from tasks.model_to_report import model_to_report
from tasks.onnx_to_rewritten import onnx_to_rewritten
from tasks.rewritten_to_tflite import rewritten_to_tflite
from tasks.tracking import tracked_run


@flow(name="detector-to-tflite")
def detector_to_tflite(experiment_file: str, overrides: Sequence[str] = ()) -> list[Report]:
    """Train, export, convert and evaluate; every model ends as a run in MLflow.

    Args:
        experiment_file: a YAML file such as configs/experiments/digits.yaml.
        overrides: ``dotted.key=value`` settings that replace those of the file.
    """
    experiment = load_experiment(Path(experiment_file), overrides)
    with tracked_run(experiment) as track:
        dataset = config_to_dataset(experiment)
        track.dataset(dataset)
        checkpoint = dataset_to_checkpoint(experiment, dataset)
        track.checkpoint(checkpoint, experiment)
        onnx = checkpoint_to_onnx(experiment, checkpoint, dataset)
        pytorch_report = model_to_report(experiment, checkpoint, dataset)
        track.variant(checkpoint, pytorch_report)
        onnx_report = model_to_report(experiment, onnx, dataset, pytorch_report)
        track.variant(onnx, onnx_report)
        reports = [pytorch_report, onnx_report]
        for rewritten in rewritings(experiment, onnx, dataset):
            for converter in experiment.variants.converters:
                tflite = rewritten_to_tflite(experiment, rewritten, onnx, dataset, converter)
                reports.append(model_to_report(experiment, tflite, dataset, onnx_report))
                track.variant(tflite, reports[-1], rewritten)
    print_comparison(reports)
    return reports


def rewritings(experiment: Experiment, onnx: OnnxModel, dataset: Dataset) -> list[RewrittenModel]:
    """One graph per padding strategy; what ``auto`` chose is left out if it is there already."""
    found = [
        onnx_to_rewritten(experiment, onnx, dataset, padding)
        for padding in experiment.variants.padding
    ]
    return list({model.strategy: model for model in found}.values())


def main() -> int:
    """``python -m flows.detector_to_tflite EXPERIMENT [--set KEY=VALUE …]``"""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("experiment")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    return run_and_report(lambda: detector_to_tflite(arguments.experiment, arguments.overrides))


if __name__ == "__main__":
    sys.exit(main())
