"""The variants of the main path: what is known of each, and what becomes of one that fails."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from prefect.futures import PrefectFuture

from mmdet2tflite.artifacts import (
    Dataset,
    KerasModel,
    OnnxModel,
    Report,
    RewrittenModel,
    TfliteModel,
)
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.names import ConverterName, FormatName, PrecisionName
from mmdet2tflite.convert.keras.to_keras import CONVERTER
from mmdet2tflite.errors import UserError
from mmdet2tflite.report.outcome import Outcome
from tasks.model_to_report import model_to_report
from tasks.onnx_to_openvino import onnx_to_openvino

FLOAT32: PrecisionName = "float32"
"""What a converter makes; every other precision is made of it."""

type Rewritten = PrefectFuture[RewrittenModel]
type Tflite = PrefectFuture[TfliteModel]
type Keras = PrefectFuture[KerasModel]


@dataclass(frozen=True)
class Cell:
    """One file of the matrix in the making.

    Args:
        steps: what has to succeed before ``model``, the file itself.
        file_format: of a Keras model; empty for TFLite.
    """

    strategy: str
    converter: ConverterName
    precision: PrecisionName
    rewritten: Rewritten
    steps: tuple[Tflite, ...]
    model: Tflite | Keras
    file_format: str = ""


def different(graphs: Mapping[str, Rewritten]) -> dict[str, Rewritten]:
    """By strategy; what ``auto`` chose is left out if it is there already."""
    found: dict[str, Rewritten] = {}
    for padding, graph in graphs.items():
        try:
            strategy = graph.result().strategy
        except UserError:  # the reason stands in every cell that would have been made of it
            strategy = padding
        found.setdefault(strategy, graph)
    return found


def promised[T](future: PrefectFuture[T]) -> T:
    """Stands for the result among the arguments of a task: Prefect waits for it and puts it in."""
    return cast(T, future)


def wait_for(*futures: Mapping[Any, PrefectFuture[Any]]) -> None:
    """Until all are made or failed."""
    for step in futures:
        for future in step.values():
            future.wait()


def tflite_cells(
    precisions: Sequence[PrecisionName],
    rewritten: Mapping[str, Rewritten],
    tflite: Mapping[tuple[str, ConverterName], Tflite],
    quantized: Mapping[tuple[str, ConverterName, PrecisionName], Tflite],
    tuned: Mapping[tuple[str, ConverterName, PrecisionName], Tflite],
) -> Iterator[Cell]:
    """The TFLite files, in the order of the experiment; float32 before what it is compared with."""
    for (strategy, converter), file in tflite.items():
        for precision in sorted(precisions, key=lambda name: name != FLOAT32):
            made_by = strategy, converter, precision
            made = file if precision == FLOAT32 else quantized[made_by]
            model = tuned.get(made_by, made)
            yield Cell(strategy, converter, precision, rewritten[strategy], (file, made), model)


def keras_cells(
    rewritten: Mapping[str, Rewritten], keras: Mapping[tuple[str, FormatName], Keras]
) -> Iterator[Cell]:
    """The Keras models, in the order of the experiment."""
    for (strategy, file_format), file in keras.items():
        yield Cell(strategy, CONVERTER, FLOAT32, rewritten[strategy], (), file, file_format)


def in_openvino(
    experiment: Experiment, onnx: OnnxModel, onnx_report: Report, dataset: Dataset
) -> Outcome:
    """The ONNX itself in OpenVINO, made and measured; that it fails is an outcome, too."""
    try:
        model = onnx_to_openvino(experiment, onnx, dataset)
        return Outcome.measured(model, model_to_report(experiment, model, dataset, onnx_report))
    except UserError as error:
        return Outcome.failed(error, "unchanged", "openvino", FLOAT32)


def all_measured(
    experiment: Experiment, cells: Sequence[Cell], onnx_report: Report, dataset: Dataset
) -> Iterator[Outcome]:
    """Every file in turn; one of another precision is compared with its float32 file, too."""
    float32: dict[tuple[str, str], Report] = {}
    for cell in cells:
        made_by = cell.strategy, cell.converter
        other = cell.precision != FLOAT32
        reference = float32.get(made_by) if other else None
        outcome = measured(experiment, cell, onnx_report, dataset, reference)
        if outcome.report and not other and not cell.file_format:
            float32[made_by] = outcome.report
        yield outcome


def measured(
    experiment: Experiment,
    cell: Cell,
    onnx_report: Report,
    dataset: Dataset,
    float32: Report | None = None,
) -> Outcome:
    """The file, alone on the machine; or the first step on the way to it that failed.

    Args:
        float32: the report of the file that this one was made of, if it is of another precision.
    """
    rewritten = None
    try:
        rewritten = cell.rewritten.result()
        for step in cell.steps:
            step.result()
        model = cell.model.result()
        report = model_to_report(experiment, model, dataset, onnx_report, float32)
    except UserError as error:
        return Outcome.failed(
            error, cell.strategy, cell.converter, cell.precision, rewritten, cell.file_format
        )
    return Outcome.measured(model, report, rewritten)
