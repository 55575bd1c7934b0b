"""Stage: rewritten ONNX → float32 TFLite; finished, annotated, its parity checked."""

import shutil
from importlib.metadata import version

import onnx_ir as ir

from mmdet2tflite.artifacts import Dataset, OnnxModel, RewrittenModel, TfliteModel
from mmdet2tflite.config.base import ConfigSection
from mmdet2tflite.config.names import ConverterName
from mmdet2tflite.convert.check import check_conversion
from mmdet2tflite.convert.conversion import convert_graph
from mmdet2tflite.convert.converters.converter import ToolRun
from mmdet2tflite.convert.converters.table import CONVERTERS
from mmdet2tflite.convert.finish_tflite import ExpectedTflite, finish_tflite
from mmdet2tflite.passport import Passport
from mmdet2tflite.stage import Job, Stage
from mmdet2tflite.store.manifest import LOGS

FILE = TfliteModel.model_fields["file"].default
FROM_PASSPORT = ("outputs", "rotation", "strategy", "exact", "converter", "precision")


class ConvertConfig(ConfigSection):
    """One cell of the experiment's variants."""

    converter: ConverterName
    tolerance: float


def convert(
    job: Job,
    config: ConvertConfig,
    *,
    model: RewrittenModel,
    original: OnnxModel,
    dataset: Dataset,
) -> TfliteModel:
    """Convert, identify the outputs, write the passport, compare with the ONNX on real images.

    Raises:
        ParityError: an output differs by more than the tolerance from the original's, or, where
            the strategy is not exact, from the rewritten graph's.
        UserError: the converter failed, an output cannot be identified, or the file has other PADs
            than planned.
    """
    source = job.store.path(model, model.file)
    log = job.work / LOGS / f"{config.converter}.log"
    scratch = job.work / "scratch"
    run = ToolRun(scratch, log, job.timeout)
    converted, spelling = convert_graph(ir.load(source), source, config.converter, run)
    passport = Passport(
        head=model.head,
        preprocessing=model.preprocessing,
        outputs=(),
        strategy=model.strategy,
        exact=model.exact,
        converter=config.converter,
        precision="float32",
        tools={tool: version(tool) for tool in CONVERTERS[config.converter].tools},
        ancestors={"onnx": original.digest, "rewritten": model.digest},
    )
    expected = ExpectedTflite(
        onnx=source,
        inputs=(),
        outputs=model.outputs,
        most_pads=model.pads,
        rotation=model.rotation,
        undo_rotation=model.upright,
        flags=model.flags,
    )
    finished = finish_tflite(converted, job.work / FILE, expected, spelling, passport)
    for folder in job.work.glob(f"{scratch.name}*"):
        shutil.rmtree(folder)
    result = TfliteModel(
        head=model.head,
        preprocessing=model.preprocessing,
        **{name: getattr(finished, name) for name in FROM_PASSPORT},
    )
    return check_conversion(
        job,
        result,
        model=model,
        original=original,
        dataset=dataset,
        tolerance=config.tolerance,
    )


def _tools(config: ConvertConfig) -> tuple[str, ...]:
    return ("ai-edge-litert", "onnxruntime", *CONVERTERS[config.converter].tools)


CONVERT: Stage[TfliteModel] = Stage(
    name="tflite",
    run=convert,
    tools=_tools,
)
