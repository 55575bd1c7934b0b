"""Stage: rewritten ONNX → a Keras file or a SavedModel, by onnx2tf's TensorFlow back end."""

import shutil
from dataclasses import fields
from importlib.metadata import version

from mmdet2tflite.artifacts import Dataset, KerasModel, OnnxModel, RewrittenModel
from mmdet2tflite.config.base import ConfigSection
from mmdet2tflite.config.names import ConverterName, FormatName
from mmdet2tflite.convert.check import check_conversion
from mmdet2tflite.convert.requests import KerasRequest
from mmdet2tflite.convert.tflite_file import passport_json
from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Passport, Rotation, TfliteOutput
from mmdet2tflite.stage import Job, Stage

CONVERTER: ConverterName = "onnx2tf"
TOOLS = ("onnx2tf", "onnx", "onnx-ir", "tensorflow", "tf-keras")
FILES: dict[FormatName, str] = {"h5": "model.h5", "saved_model": "saved_model"}
PASSPORT = KerasModel.model_fields["passport"].default


class KerasConfig(ConfigSection):
    """``tolerance``: largest error against the ONNX, relative to the tensor's range."""

    format: FormatName
    tolerance: float


def to_keras(
    job: Job,
    config: KerasConfig,
    *,
    model: RewrittenModel,
    original: OnnxModel,
    dataset: Dataset,
) -> KerasModel:
    """Convert, name the outputs, rotate them back, and compare with the ONNX on real images.

    Raises:
        ModelError: the graph needs a backend that honours flags; onnx2tf does not take it.
        ParityError: an output misses ``config.tolerance``.
        ToolFailed: onnx2tf ended with an error or ran into the time-out.
    """
    if model.flags:
        raise ModelError(
            f"a {config.format} file has no place for the true pads of {len(model.flags)} "
            f"convolutions that {model.strategy} writes as SAME",
            "a strategy whose graph computes the network's numbers by itself",
            f"take {model.strategy} out of variants.padding, or leave variants.formats empty",
        )
    file, undo_rotation = FILES[config.format], model.upright
    scratch = job.work / "scratch"
    request = KerasRequest(
        onnx=job.store.path(model, model.file),
        file=job.work / file,
        scratch=scratch,
        outputs=model.outputs,
        undone=model.rotation if undo_rotation else Rotation(),
    )
    outputs = job.ask(
        "onnx2tf",
        "mmdet2tflite.convert.keras.to_keras_worker",
        request,
        tuple[TfliteOutput, ...],
        log="onnx2tf",
        environment={"TQDM_DISABLE": "1"},
    )
    shutil.rmtree(scratch)
    result = KerasModel(
        file=file,
        **model.model_dump(include={"head", "preprocessing", "strategy", "exact"}),
        outputs=outputs,
        rotation=Rotation() if undo_rotation else model.rotation,
        converter=CONVERTER,
        format=config.format,
    )
    _write_passport(job, result, {"onnx": original.digest, "rewritten": model.digest})
    return check_conversion(
        job,
        result,
        model=model,
        original=original,
        dataset=dataset,
        tolerance=config.tolerance,
    )


def _write_passport(job: Job, result: KerasModel, ancestors: dict[str, str]) -> None:
    common = {field.name for field in fields(Passport)} & set(KerasModel.model_fields)
    tools = {tool: version(tool) for tool in TOOLS}
    values = {name: getattr(result, name) for name in common}
    passport = Passport(**values, tools=tools, ancestors=ancestors)
    (job.work / PASSPORT).write_bytes(passport_json(passport, indent=1))


KERAS: Stage[KerasModel] = Stage(
    name="keras",
    run=to_keras,
    tools=("onnxruntime", *TOOLS),
)
