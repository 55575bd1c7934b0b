"""The variants of the main path: each is made and measured by itself, and may fail by itself.

All files are made first, side by side; then each has the machine to itself and is measured.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prefect.futures import PrefectFuture

from flows.running.task_runners import fan_out
from mmdet2tflite.artifacts import (
    Dataset,
    KerasModel,
    OnnxModel,
    Report,
    RewrittenModel,
    TfliteModel,
)
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.names import ConverterName, PrecisionName
from mmdet2tflite.convert.keras.to_keras import CONVERTER
from mmdet2tflite.errors import UserError
from mmdet2tflite.processes.interruption import interruptible
from mmdet2tflite.report.outcome import Outcome
from tasks.model_to_report import model_to_report
from tasks.onnx_to_openvino import onnx_to_openvino
from tasks.onnx_to_rewritten import onnx_to_rewritten
from tasks.rewritten_to_keras import rewritten_to_keras
from tasks.rewritten_to_tflite import rewritten_to_tflite
from tasks.tflite_to_quantized import tflite_to_quantized

FLOAT32: PrecisionName = "float32"
"""What a converter makes; every other precision is made of it."""

type Graph = PrefectFuture[RewrittenModel]
type File = PrefectFuture[TfliteModel] | PrefectFuture[KerasModel]


@dataclass(frozen=True)
class Cell:
    """One file of the matrix in the making: ``file`` is float32, ``model`` is made of it.

    ``file_format`` is empty for TFLite.
    """

    strategy: str
    converter: ConverterName
    precision: PrecisionName
    graph: Graph
    file: File
    model: File
    file_format: str = ""


def in_openvino(
    experiment: Experiment, onnx: OnnxModel, onnx_report: Report, dataset: Dataset
) -> Outcome:
    """The ONNX itself in OpenVINO, made and measured; that it fails is an outcome, too."""
    try:
        model = onnx_to_openvino(experiment, onnx, dataset)
        return Outcome.measured(model, model_to_report(experiment, model, dataset, onnx_report))
    except UserError as error:
        return Outcome.failed(error, "unchanged", "openvino", FLOAT32)


def variants(
    experiment: Experiment, onnx: OnnxModel, onnx_report: Report, dataset: Dataset
) -> Iterator[Outcome]:
    """Every file, made and measured, TFLite files first, in the order of the experiment.

    One that fails is an outcome, too, and leaves the others alone.
    """
    with fan_out(experiment), interruptible():
        cells = start(experiment, onnx, dataset)
        for cell in cells:
            for future in (cell.graph, cell.file, cell.model):
                future.wait()
    for cell in cells:
        yield measured(experiment, cell, onnx_report, dataset)


def start(experiment: Experiment, onnx: OnnxModel, dataset: Dataset) -> list[Cell]:
    """Let all files be made. Whatever needs another task's result waits for that."""
    wanted = experiment.variants
    graphs = different(
        {
            padding: onnx_to_rewritten.submit(experiment, onnx, dataset, padding)
            for padding in wanted.padding
        }
    )
    files = {
        (strategy, converter): rewritten_to_tflite.submit(
            experiment, graph, onnx, dataset, converter
        )
        for strategy, graph in graphs.items()
        for converter in wanted.converters
    }
    tflite = [
        Cell(
            strategy,
            converter,
            precision,
            graphs[strategy],
            file,
            file
            if precision == FLOAT32
            else tflite_to_quantized.submit(experiment, file, dataset, precision),
        )
        for (strategy, converter), file in files.items()
        for precision in wanted.precisions
    ]
    others = {
        (strategy, file_format): rewritten_to_keras.submit(
            experiment, graph, onnx, dataset, file_format
        )
        for strategy, graph in graphs.items()
        for file_format in wanted.formats
    }
    return tflite + [
        Cell(strategy, CONVERTER, FLOAT32, graphs[strategy], file, file, file_format)
        for (strategy, file_format), file in others.items()
    ]


def different(graphs: Mapping[str, Graph]) -> dict[str, Graph]:
    """By strategy; what ``auto`` chose is left out if it is there already."""
    found: dict[str, Graph] = {}
    for padding, graph in graphs.items():
        try:
            strategy = graph.result().strategy
        except UserError:  # the reason stands in every cell that would have been made of it
            strategy = padding
        found.setdefault(strategy, graph)
    return found


def measured(experiment: Experiment, cell: Cell, onnx_report: Report, dataset: Dataset) -> Outcome:
    """The file, alone on the machine; or the first step on the way to it that failed."""
    rewritten = None
    try:
        rewritten = cell.graph.result()
        cell.file.result()
        model = cell.model.result()
        report = model_to_report(experiment, model, dataset, onnx_report)
    except UserError as error:
        return Outcome.failed(
            error, cell.strategy, cell.converter, cell.precision, rewritten, cell.file_format
        )
    return Outcome.measured(model, report, rewritten)
