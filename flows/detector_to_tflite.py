"""The main path: a data set becomes measured TFLite files. One call per arrow."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from prefect import flow

from mmdet2tflite.artifacts import (
    Comparison,
    Dataset,
    OnnxModel,
    Report,
    RewrittenModel,
)
from mmdet2tflite.config import Experiment
from mmdet2tflite.errors import UserError
from mmdet2tflite.exit_status import Incomplete, run_and_report
from mmdet2tflite.experiment_file import load_experiment
from mmdet2tflite.names import ConverterName, PrecisionName
from mmdet2tflite.report.outcome import Outcome
from mmdet2tflite.report.terminal import announce_failure
from mmdet2tflite.store import Store
from tasks.checkpoint_to_onnx import checkpoint_to_onnx
from tasks.config_to_dataset import config_to_dataset
from tasks.dataset_to_checkpoint import dataset_to_checkpoint
from tasks.model_to_report import model_to_report
from tasks.onnx_to_openvino import onnx_to_openvino
from tasks.onnx_to_rewritten import onnx_to_rewritten
from tasks.publishing import publish
from tasks.reports_to_comparison import reports_to_comparison
from tasks.rewritten_to_tflite import rewritten_to_tflite
from tasks.tflite_to_quantized import tflite_to_quantized
from tasks.tracking import tracked_run

FLOAT32: PrecisionName = "float32"
"""What a converter makes; every other precision is made of it."""


@flow(name="detector-to-tflite")
def detector_to_tflite(experiment_file: str, overrides: Sequence[str] = ()) -> Comparison:
    """Train, export, convert, evaluate and compare; every model ends as a run in MLflow.

    Args:
        experiment_file: a YAML file such as configs/experiments/digits.yaml.
        overrides: ``dotted.key=value`` settings that replace those of the file.

    Raises:
        UserError: data, training or export went wrong: there is nothing to compare.
        Incomplete: some variants went wrong; all others are compared.
    """
    experiment = load_experiment(Path(experiment_file), overrides)
    with tracked_run(experiment) as track:
        dataset = config_to_dataset(experiment)
        track.dataset(dataset)
        checkpoint = dataset_to_checkpoint(experiment, dataset)
        track.checkpoint(checkpoint, experiment)
        onnx = checkpoint_to_onnx(experiment, checkpoint, dataset)
        pytorch_report = model_to_report(experiment, checkpoint, dataset)
        outcomes = [track.outcome(Outcome.measured(checkpoint, pytorch_report))]
        onnx_report = model_to_report(experiment, onnx, dataset, pytorch_report)
        outcomes.append(track.outcome(Outcome.measured(onnx, onnx_report)))
        if experiment.variants.openvino:
            outcomes.append(track.outcome(in_openvino(experiment, onnx, onnx_report, dataset)))
        for outcome in variants(experiment, onnx, onnx_report, dataset):
            outcomes.append(track.outcome(outcome))
        comparison = reports_to_comparison(experiment, dataset, outcomes)
        track.comparison(comparison)
        publish(Store(experiment.store), comparison)
        if comparison.failed:
            raise Incomplete(f"failed: {', '.join(comparison.failed)}; all others are done")
    return comparison


def in_openvino(
    experiment: Experiment, onnx: OnnxModel, onnx_report: Report, dataset: Dataset
) -> Outcome:
    """The ONNX itself in OpenVINO, made and measured; that it fails is an outcome, too."""
    try:
        model = onnx_to_openvino(experiment, onnx, dataset)
        return Outcome.measured(model, model_to_report(experiment, model, dataset, onnx_report))
    except UserError as error:
        return failed(error, "unchanged", "openvino")


def variants(
    experiment: Experiment, onnx: OnnxModel, onnx_report: Report, dataset: Dataset
) -> Iterator[Outcome]:
    """Every TFLite file, made and measured. One that fails is an outcome, too; the next follows.

    What ``auto`` chose is left out if it is there already.
    """
    strategies = set()
    for padding in experiment.variants.padding:
        try:
            rewritten = onnx_to_rewritten(experiment, onnx, dataset, padding)
        except UserError as error:
            for converter, precision in product(
                experiment.variants.converters, experiment.variants.precisions
            ):
                yield failed(error, padding, converter, precision)
            continue
        if rewritten.strategy in strategies:
            continue
        strategies.add(rewritten.strategy)
        for converter in experiment.variants.converters:
            yield from files(experiment, rewritten, onnx, onnx_report, dataset, converter)


def files(
    experiment: Experiment,
    rewritten: RewrittenModel,
    onnx: OnnxModel,
    onnx_report: Report,
    dataset: Dataset,
    converter: ConverterName,
) -> Iterator[Outcome]:
    """One converter's file in every precision, made and measured."""
    strategy, precisions = rewritten.strategy, experiment.variants.precisions
    try:
        tflite = rewritten_to_tflite(experiment, rewritten, onnx, dataset, converter)
    except UserError as error:
        for precision in precisions:
            yield failed(error, strategy, converter, precision, rewritten)
        return
    for precision in precisions:
        try:
            model = tflite
            if precision != FLOAT32:
                model = tflite_to_quantized(experiment, tflite, dataset, precision)
            report = model_to_report(experiment, model, dataset, onnx_report)
        except UserError as error:
            yield failed(error, strategy, converter, precision, rewritten)
        else:
            yield Outcome.measured(model, report, rewritten)


def failed(
    error: UserError,
    strategy: str,
    converter: ConverterName,
    precision: PrecisionName = FLOAT32,
    rewritten: RewrittenModel | None = None,
) -> Outcome:
    """Say at once that a variant failed: the run may go on for an hour."""
    outcome = Outcome.failed(error, strategy, converter, precision, rewritten)
    announce_failure(outcome.variant, outcome.failure)
    return outcome


def main() -> int:
    """``python -m flows.detector_to_tflite EXPERIMENT [--set KEY=VALUE …]``"""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("experiment")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    return run_and_report(lambda: detector_to_tflite(arguments.experiment, arguments.overrides))


if __name__ == "__main__":
    sys.exit(main())
