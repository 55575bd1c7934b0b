"""Stage: ONNX → float32 TFLite; outputs identified, passport written, numbers checked."""

import shutil
from importlib.metadata import version
from pathlib import Path

from mmdet2tflite.artifacts import Dataset, OnnxModel, Passport, Tensor, TfliteModel
from mmdet2tflite.config import ConverterName, Section
from mmdet2tflite.convert import onnx2tf
from mmdet2tflite.convert.converter import Converter, ToolRun
from mmdet2tflite.convert.flatbuffer import read_model, write_model
from mmdet2tflite.convert.tflite_file import (
    match_outputs,
    output_tensors,
    rename_outputs,
    to_nhwc,
    write_passport,
)
from mmdet2tflite.data.files import image_files
from mmdet2tflite.evaluate.promise import PARITY_IMAGES
from mmdet2tflite.stage import Job, Stage
from mmdet2tflite.store import LOGS
from mmdet2tflite.toolchain import run_python

CONVERTERS: dict[ConverterName, Converter] = {
    "onnx2tf": Converter(onnx2tf.convert, onnx2tf.TOOLS),
}


class ConvertConfig(Section):
    """One cell of the experiment's variants."""

    converter: ConverterName
    tolerance: float


def convert(job: Job, config: ConvertConfig, *, model: OnnxModel, dataset: Dataset) -> TfliteModel:
    """Convert, identify the outputs, write the passport, compare with the ONNX on real images.

    Raises:
        ParityError: an output differs from the ONNX's by more than the tolerance.
        UserError: the converter failed, or an output cannot be identified.
    """
    source = job.store.path(model, model.file)
    log = job.work / LOGS / f"{config.converter}.log"
    scratch = job.work / "scratch"
    converter = CONVERTERS[config.converter]
    converted = converter.convert(source, ToolRun(scratch, log, job.timeout))
    result = TfliteModel(
        head=model.head,
        preprocessing=model.preprocessing,
        outputs=tuple(Tensor(name=o.name, shape=to_nhwc(o.shape)) for o in model.outputs),
        strategy="explicit",
        converter=config.converter,
        precision="float32",
    )
    annotate(converted, job.work / result.file, model, result, converter.tools)
    shutil.rmtree(scratch)
    metrics = _compare_with_onnx(job, config, source, model, result, dataset)
    return result.model_copy(update={"metrics": metrics})


def annotate(
    converted: Path, target: Path, source: OnnxModel, result: TfliteModel, tools: tuple[str, ...]
) -> None:
    """Write ``target``: the converted file with the ONNX names and a passport."""
    model = read_model(converted)
    rename_outputs(model, match_outputs(source.outputs, output_tensors(model)))
    passport = Passport(
        head=result.head,
        preprocessing=result.preprocessing,
        outputs=result.outputs,
        strategy=result.strategy,
        converter=result.converter,
        precision=result.precision,
        tools={tool: version(tool) for tool in tools},
        ancestors={"onnx": source.digest},
    )
    write_passport(model, passport)
    write_model(model, target)


def _compare_with_onnx(
    job: Job,
    config: ConvertConfig,
    source: Path,
    model: OnnxModel,
    result: TfliteModel,
    dataset: Dataset,
) -> dict[str, float]:
    images = image_files(job.store, dataset, "val")[:PARITY_IMAGES]
    spec = job.write_spec(
        "check",
        {
            "onnx": str(source),
            "tflite": str(job.work / result.file),
            "model": result.model_dump(mode="json"),
            "images": [str(image) for image in images],
            "tolerance": config.tolerance,
        },
    )
    run_python(
        "ai-edge-litert",
        "mmdet2tflite.convert.check_worker",
        [spec],
        log=job.work / LOGS / "check.log",
        timeout=job.timeout,
    )
    return job.read_result()


CONVERT: Stage[TfliteModel] = Stage(
    name="tflite",
    run=convert,
    tools=("ai-edge-litert", "onnxruntime", "onnx2tf", "onnx", "onnxsim"),
    sources=(
        "mmdet2tflite.convert.check_worker",
        "mmdet2tflite.convert.convert",
        "mmdet2tflite.convert.flatbuffer",
        "mmdet2tflite.convert.onnx2tf",
        "mmdet2tflite.convert.tflite_file",
        "mmdet2tflite.evaluate.decode",
        "mmdet2tflite.evaluate.images",
        "mmdet2tflite.evaluate.parity",
        "mmdet2tflite.evaluate.promise",
        "mmdet2tflite.evaluate.runners",
    ),
)
