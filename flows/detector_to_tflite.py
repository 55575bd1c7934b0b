"""The main path: a data set becomes measured TFLite files. One call per arrow."""

from collections.abc import Sequence
from pathlib import Path

from prefect import flow

from flows.running.task_runners import check_machines
from flows.variants import in_openvino, variants
from mmdet2tflite.artifacts import Comparison
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.processes.exit_status import Incomplete
from mmdet2tflite.report.outcome import Outcome
from mmdet2tflite.store.store import Store
from tasks.checkpoint_to_onnx import checkpoint_to_onnx
from tasks.config_to_dataset import config_to_dataset
from tasks.dataset_to_checkpoint import dataset_to_checkpoint
from tasks.model_to_report import model_to_report
from tasks.reports_to_comparison import reports_to_comparison
from tasks.tracking.publishing import publish, warn
from tasks.tracking.runs import tracked_run


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
    check_machines(experiment)
    with tracked_run(experiment) as track:
        dataset = config_to_dataset(experiment)
        track.dataset(dataset)
        warn(Store(experiment.store), dataset)
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
