"""Who takes part in a benchmark: this project's files, and the stock outputs of other tools."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.conversion.entry import Entry
from benchmarks.conversion.onnx_to_stock import onnx_to_stock
from benchmarks.conversion.recipes import RECIPES, RecipeName
from mmdet2tflite.artifacts import Dataset, OnnxModel, Report
from mmdet2tflite.backends.table import Model
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.names import PrecisionName
from mmdet2tflite.errors import UserError
from tasks.model_to_report import model_to_report
from tasks.onnx_to_openvino import onnx_to_openvino
from tasks.onnx_to_rewritten import onnx_to_rewritten
from tasks.rewritten_to_tflite import rewritten_to_tflite
from tasks.tflite_to_quantized import tflite_to_quantized
from tasks.tflite_to_tuned import tflite_to_tuned


@dataclass(frozen=True)
class Contestant:
    """One row: its name, what a user would type, and how it is made."""

    name: str
    command: str
    make: Callable[[Experiment, OnnxModel, Dataset], Model]


def _ours(precision: PrecisionName) -> Contestant:
    def make(experiment: Experiment, onnx: OnnxModel, dataset: Dataset) -> Model:
        rewritten = onnx_to_rewritten(experiment, onnx, dataset, "auto")
        tflite = rewritten_to_tflite(experiment, rewritten, onnx, dataset, "onnx2tf")
        if precision == "float32":
            return tflite
        quantised = tflite_to_quantized(experiment, tflite, dataset, precision)
        if not experiment.training.quantised:
            return quantised
        return tflite_to_tuned(experiment, quantised, tflite, dataset)

    settings = f"--set variants.padding=[auto] --set variants.precisions=[{precision}]"
    return Contestant(f"mmdet2tflite {precision}", f"mmdet2tflite run EXPERIMENT {settings}", make)


def _stock(name: str, recipe: RecipeName) -> Contestant:
    def make(experiment: Experiment, onnx: OnnxModel, dataset: Dataset) -> Model:
        return onnx_to_stock(experiment, onnx, dataset, recipe)

    return Contestant(f"{name} {RECIPES[recipe].precision}", RECIPES[recipe].command, make)


CONTESTANTS = (
    _stock("onnx2tf", "onnx2tf_float32"),
    _ours("float32"),
    _ours("int8"),
    _stock("onnx2tf", "onnx2tf_float16"),
    _stock("onnx2tf", "onnx2tf_dynamic"),
    _stock("onnx2tf", "onnx2tf_int8"),
    _stock("onnx2tf, TensorFlow's converter", "onnx2tf_tensorflow_int8"),
    _stock("openvino2tensorflow", "openvino2tensorflow_float32"),
    Contestant("ONNX Runtime float32", "the exported ONNX itself", lambda _, onnx, dataset: onnx),
    _stock("ONNX Runtime", "onnxruntime_int8"),
    Contestant(
        "OpenVINO float32",
        "ovc model.onnx --compress_to_fp16 False",
        lambda experiment, onnx, dataset: onnx_to_openvino(experiment, onnx, dataset),
    ),
    _stock("OpenVINO", "openvino_int8"),
)
"""In the order of their turns. The first one is the base of all ratios."""


def enter(
    experiment: Experiment, onnx: OnnxModel, onnx_report: Report, dataset: Dataset
) -> Iterator[Entry]:
    """Make and evaluate everyone. One that fails is an entry, too, unless it is the base.

    Raises:
        UserError: the base failed: there is nothing to compare with.
    """
    for contestant in CONTESTANTS:
        name, command = contestant.name, contestant.command
        try:
            model = contestant.make(experiment, onnx, dataset)
            report = model_to_report(experiment, model, dataset, onnx_report)
        except UserError as error:
            if contestant is CONTESTANTS[0]:
                raise
            yield Entry(name=name, command=command, failure=str(error))
        else:
            yield Entry(name=name, command=command, model=model, report=report)
