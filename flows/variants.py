"""The variants of the main path: each is made and measured by itself, and may fail by itself."""

from collections.abc import Iterator
from itertools import product

from mmdet2tflite.artifacts import Dataset, OnnxModel, Report, RewrittenModel
from mmdet2tflite.config import Experiment
from mmdet2tflite.errors import UserError
from mmdet2tflite.names import ConverterName, PrecisionName
from mmdet2tflite.report.outcome import Outcome
from mmdet2tflite.report.terminal import announce_failure
from tasks.model_to_report import model_to_report
from tasks.onnx_to_openvino import onnx_to_openvino
from tasks.onnx_to_rewritten import onnx_to_rewritten
from tasks.rewritten_to_tflite import rewritten_to_tflite
from tasks.tflite_to_quantized import tflite_to_quantized

FLOAT32: PrecisionName = "float32"
"""What a converter makes; every other precision is made of it."""


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
