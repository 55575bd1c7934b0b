"""The main path: data set → checkpoint → ONNX → rewritten → TFLite → quantised, all measured.

Every function that is named ``x_to_y`` is a cached task, in tasks/x_to_y.py.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from prefect import flow

from flows.running.task_runners import check_machines, side_by_side
from flows.variants import (
    FLOAT32,
    Cell,
    all_measured,
    different,
    in_openvino,
    keras_cells,
    promised,
    tflite_cells,
    wait_for,
)
from mmdet2tflite.artifacts import Checkpoint, Comparison, Dataset, OnnxModel
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.processes.exit_status import Incomplete
from mmdet2tflite.quantize.tuning.stage import TUNED
from mmdet2tflite.report.outcome import Outcome
from tasks.checkpoint_to_onnx import checkpoint_to_onnx
from tasks.config_to_dataset import config_to_dataset
from tasks.dataset_to_checkpoint import dataset_to_checkpoint
from tasks.model_to_report import model_to_report
from tasks.onnx_to_rewritten import onnx_to_rewritten
from tasks.reports_to_comparison import reports_to_comparison
from tasks.rewritten_to_keras import rewritten_to_keras
from tasks.rewritten_to_tflite import rewritten_to_tflite
from tasks.tflite_to_quantized import tflite_to_quantized
from tasks.tflite_to_tuned import tflite_to_tuned
from tasks.tracking.runs import Trackable, tracked_run


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
        for made in pipeline(experiment):
            track(made)
    assert isinstance(made, Comparison)
    return made


def pipeline(experiment: Experiment) -> Iterator[Trackable]:
    """Make everything that the experiment asks for, the comparison last."""
    dataset = config_to_dataset(experiment)
    yield dataset
    checkpoint = dataset_to_checkpoint(experiment, dataset)
    yield checkpoint
    onnx = checkpoint_to_onnx(experiment, checkpoint, dataset)
    outcomes = []
    for outcome in evaluated(experiment, dataset, checkpoint, onnx):
        yield outcome
        outcomes.append(outcome)
    comparison = reports_to_comparison(experiment, dataset, outcomes)
    yield comparison
    if comparison.failed:
        raise Incomplete(f"failed: {', '.join(comparison.failed)}; all others are done")


def evaluated(
    experiment: Experiment, dataset: Dataset, checkpoint: Checkpoint, onnx: OnnxModel
) -> Iterator[Outcome]:
    """Measure every model, each against the one that it was made of.

    Files of other precisions are compared with their float32 file, too. All files are made first;
    then each has the machine to itself and is measured.
    """
    pytorch_report = model_to_report(experiment, checkpoint, dataset)
    yield Outcome.measured(checkpoint, pytorch_report)
    onnx_report = model_to_report(experiment, onnx, dataset, pytorch_report)
    yield Outcome.measured(onnx, onnx_report)
    if experiment.variants.openvino:
        yield in_openvino(experiment, onnx, onnx_report, dataset)
    cells = variants(experiment, onnx, dataset)
    yield from all_measured(experiment, cells, onnx_report, dataset)


def variants(experiment: Experiment, onnx: OnnxModel, dataset: Dataset) -> list[Cell]:
    """Make strategies x converters x precisions, side by side: TFLite files first, then Keras's.

    Whatever needs another task's result waits for that; one that fails leaves the others alone.
    """
    wanted = experiment.variants
    with side_by_side(experiment):
        rewritten = different(
            {
                padding: onnx_to_rewritten.submit(experiment, onnx, dataset, padding)
                for padding in wanted.padding
            }
        )
        tflite = {
            (strategy, converter): rewritten_to_tflite.submit(
                experiment, promised(graph), onnx, dataset, converter
            )
            for strategy, graph in rewritten.items()
            for converter in wanted.converters
        }
        quantized = {
            (*made_by, precision): tflite_to_quantized.submit(
                experiment, promised(file), dataset, precision
            )
            for made_by, file in tflite.items()
            for precision in wanted.precisions
            if precision != FLOAT32
        }
        tuned = {
            (strategy, converter, precision): tflite_to_tuned.submit(
                experiment, promised(file), promised(tflite[strategy, converter]), dataset
            )
            for (strategy, converter, precision), file in quantized.items()
            if experiment.training.quantised and precision in TUNED
        }
        keras = {
            (strategy, file_format): rewritten_to_keras.submit(
                experiment, promised(graph), onnx, dataset, file_format
            )
            for strategy, graph in rewritten.items()
            for file_format in wanted.formats
        }
        wait_for(rewritten, tflite, quantized, tuned, keras)
    return [
        *tflite_cells(wanted.precisions, rewritten, tflite, quantized, tuned),
        *keras_cells(rewritten, keras),
    ]
