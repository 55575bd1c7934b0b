"""Stage: exported ONNX → the file that another tool makes of it by itself."""

import shutil
from pathlib import Path

from benchmarks.conversion.reasons import last_errors
from benchmarks.conversion.recipes import RECIPES, Making, Recipe, RecipeName
from mmdet2tflite.artifacts import Dataset, OnnxModel, OpenvinoModel, TfliteModel
from mmdet2tflite.config.base import ConfigSection
from mmdet2tflite.config.project import project_root
from mmdet2tflite.convert.converters.onnx2tf import own_copy
from mmdet2tflite.convert.tflite_file import (
    describe_output,
    match_outputs,
    output_tensors,
    rename_outputs,
)
from mmdet2tflite.data.files import image_files
from mmdet2tflite.errors import ToolFailed
from mmdet2tflite.processes.own_environment import environment_python, lock_digest
from mmdet2tflite.quantize.quantize import choose
from mmdet2tflite.stage import Job, Stage
from mmdet2tflite.store.manifest import LOGS
from mmdet2tflite.tflite.flatbuffer import read_model, write_model

type Stock = TfliteModel | OnnxModel | OpenvinoModel


class StockConfig(ConfigSection):
    """One stock file. ``calibration_images`` is 0 for a recipe that takes none.

    ``environment``: digest of the lock of the recipe's own environment; empty if it has none.
    """

    recipe: RecipeName
    calibration_images: int
    environment: str = ""

    @classmethod
    def of(cls, recipe: RecipeName, calibration_images: int) -> "StockConfig":
        """Without the images where they change nothing: the result stays cached."""
        needed, name = RECIPES[recipe].calibrated, RECIPES[recipe].environment
        return cls(
            recipe=recipe,
            calibration_images=calibration_images if needed else 0,
            environment=lock_digest(project_root(), name) if name else "",
        )


def make_stock(job: Job, config: StockConfig, *, model: OnnxModel, dataset: Dataset) -> Stock:
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
        source.resolve(),
        model.preprocessing,
        tuple(calibration),
        work.resolve(),
        log,
        job.timeout,
        _python(recipe, job.work / LOGS / "environment.log", job.timeout),
    )
    try:
        made = recipe.make(making)
    except ToolFailed as error:
        raise _with_its_errors(error, log) from error
    if not made.exists():
        raise ToolFailed(f"{recipe.tools[0]} left no {made.name}", "the file", f"read {log}")
    result: Stock
    match made.suffix:
        case ".onnx":
            shutil.copy(made, job.work / model.file)
            unset = {"stage": "", "key": "", "digest": "", "metrics": {}}
            result = model.model_copy(update=unset)
        case ".xml":
            result = OpenvinoModel(
                head=model.head, preprocessing=model.preprocessing, outputs=model.outputs
            )
            shutil.copy(made, job.work / result.file)
            shutil.copy(made.with_suffix(".bin"), job.work / result.weights)
        case _:
            result = _describe(made, job.work, model, recipe.tools[0], recipe.precision)
    shutil.rmtree(work)
    return result


def _python(recipe: Recipe, log: Path, timeout: float) -> Path | None:
    if not recipe.environment:
        return None
    return environment_python(project_root(), recipe.environment, log, timeout)


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


STOCK: Stage[Stock] = Stage(
    name="stock",
    run=make_stock,
    tools=_tools,
)
