"""Stage: exported ONNX → the file that another tool makes of it by itself."""

import shutil
from pathlib import Path

from benchmarks.conversion.reasons import last_errors
from benchmarks.conversion.recipes import RECIPES, Making, RecipeName
from mmdet2tflite.artifacts import Dataset, OnnxModel, TfliteModel
from mmdet2tflite.config.base import ConfigSection
from mmdet2tflite.convert.converters.onnx2tf import own_copy
from mmdet2tflite.convert.tflite_file import (
    describe_output,
    match_outputs,
    output_tensors,
    rename_outputs,
)
from mmdet2tflite.data.files import image_files
from mmdet2tflite.errors import ToolFailed
from mmdet2tflite.quantize.quantize import choose
from mmdet2tflite.stage import Job, Stage
from mmdet2tflite.store.manifest import LOGS
from mmdet2tflite.tflite.flatbuffer import read_model, write_model


class StockConfig(ConfigSection):
    """One stock file. ``calibration_images`` is 0 for a recipe that takes none."""

    recipe: RecipeName
    calibration_images: int

    @classmethod
    def of(cls, recipe: RecipeName, calibration_images: int) -> "StockConfig":
        """Without the images where they change nothing: the result stays cached."""
        needed = RECIPES[recipe].calibrated
        return cls(recipe=recipe, calibration_images=calibration_images if needed else 0)


def make_stock(
    job: Job, config: StockConfig, *, model: OnnxModel, dataset: Dataset
) -> TfliteModel | OnnxModel:
    """Run the tool, and find out which output is which. The images are those of our quantiser.

    Raises:
        ToolFailed: it ended with an error, ran into the time-out, or left no file.
        ModelError: the outputs cannot be told apart.
    """
    recipe = RECIPES[config.recipe]
    calibration: list[Path] = []
    if recipe.calibrated:
        images = image_files(job.store, dataset, "train")
        calibration = choose(images, config.calibration_images)
    work = job.work / "scratch"
    work.mkdir()
    log = job.work / LOGS / f"{config.recipe}.log"
    source = own_copy(job.store.path(model, model.file), work)
    making = Making(
        source.resolve(), model.preprocessing, tuple(calibration), work.resolve(), log, job.timeout
    )
    try:
        made = recipe.make(making)
    except ToolFailed as error:
        raise _with_its_errors(error, log) from error
    if not made.exists():
        raise ToolFailed(f"{recipe.tools[0]} left no {made.name}", "the file", f"read {log}")
    if made.suffix == ".onnx":
        shutil.copy(made, job.work / model.file)
        result: TfliteModel | OnnxModel = model.model_copy(
            update={"stage": "", "key": "", "digest": "", "metrics": {}}
        )
    else:
        result = _describe(made, job.work, model, recipe.tools[0], recipe.precision)
    shutil.rmtree(work)
    return result


def _describe(
    made: Path, folder: Path, source: OnnxModel, tool: str, precision: str
) -> TfliteModel:
    """The file as it is; only names that the tool invented become those of the ONNX."""
    file = read_model(made)
    found = {tensor.name: tensor for tensor in output_tensors(file)}
    names = match_outputs(source.outputs, list(found.values()))
    result = TfliteModel(
        head=source.head,
        preprocessing=source.preprocessing,
        outputs=tuple(describe_output(o, found[names[o.name]]) for o in source.outputs),
        strategy="stock",
        exact=True,
        converter=tool,
        precision=precision,
    )
    if all(new == old for new, old in names.items()):
        shutil.copy(made, folder / result.file)
    else:
        rename_outputs(file, names)
        write_model(file, folder / result.file)
    return result


def _with_its_errors(error: ToolFailed, log: Path) -> ToolFailed:
    """The errors in the log before its last lines, which may be all that is told otherwise."""
    errors = last_errors(log.read_text(encoding="utf-8"))
    if not errors:
        return error
    first, *_ = error.found.partition(";")
    return ToolFailed(f"{first}: {errors}", error.expected, error.remedy)


def _tools(config: StockConfig) -> tuple[str, ...]:
    return RECIPES[config.recipe].tools


STOCK: Stage[TfliteModel | OnnxModel] = Stage(
    name="stock",
    run=make_stock,
    tools=_tools,
)
