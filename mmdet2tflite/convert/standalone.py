"""One ONNX file → TFLite with passport and parity report: no data set, no store, no server."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import onnx_ir as ir

from mmdet2tflite.convert import samples
from mmdet2tflite.convert.attempt import Network, attempt, steps
from mmdet2tflite.convert.comparison import run_graph
from mmdet2tflite.convert.request import Normalisation, Request
from mmdet2tflite.convert.samples import Samples
from mmdet2tflite.convert.standalone_report import LOG, Conversion, Tried, write_reports
from mmdet2tflite.convert.warm import NOT_WARM, WarmTools
from mmdet2tflite.errors import (
    ConfigError,
    ModelError,
    ParityError,
    StoreError,
    ToolFailed,
    UserError,
)
from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.edit import is_op, shape_of
from mmdet2tflite.graph.inputs import spatial_axes
from mmdet2tflite.graph.model_file import load_model
from mmdet2tflite.passport import Preprocessing

THREADS = 1
"""The converter runs beside the comparison of the graphs."""


def convert_file(request: Request, warm: WarmTools = NOT_WARM) -> Conversion:
    """Convert, check, and only then put the results into ``request.out``.

    Where an attempt fails, the next one is made (``attempt.steps``); all are checked alike.

    Args:
        warm: children that have done their imports already, for the first attempt.

    Raises:
        UserError: the model cannot be converted; nothing was written into ``request.out``.
        ParityError: no attempt keeps ``request.tolerance``.
    """
    if request.out.exists() and not request.out.is_dir():
        raise ConfigError(f"{request.out} is a file", "a folder for the results", "check --out")
    with _work_folder() as work, ThreadPoolExecutor(1) as pool:
        model = load_model(
            request.model, request.input_size, request.batch, request.input_shapes, request.cut
        )
        content = ir.to_proto(model).SerializeToString() if request.changes_network else None
        changes = canonicalise(model)
        _check_work(request.model, model)
        inputs = list(model.graph.inputs)
        preprocessing = _preprocessing(request.normalisation, inputs)
        compared = _samples(request, preprocessing, inputs)
        from mmdet2tflite.graph.verify import open_reference

        reference = pool.submit(
            run_graph, open_reference(content or request.model, THREADS), compared
        )
        network = Network(request, preprocessing, compared, reference, model)
        tried: list[Tried] = []
        for number, step in enumerate(steps(request, model)):
            folder = work / str(number)
            try:
                conversion = attempt(network, step, folder, pool, NOT_WARM if tried else warm)
            except (ModelError, ParityError, ToolFailed) as error:
                reference.result()  # without it no attempt is worth its time
                tried.append(Tried(step.strategy, step.converter, error))
                continue
            conversion = replace(conversion, tried=tuple(tried))
            results = folder / "results"
            write_reports(results, request, conversion, changes)
            shutil.copy(folder / LOG, results / LOG)
            _publish(results, request.out)
            return conversion
        raise _none_right(tried)


def _check_work(path: Path, model: ir.Model) -> None:
    """Raises ModelError where no file is needed."""
    if all(is_op(node, "Identity") for node in model.graph):
        raise ModelError(
            f"{path} computes nothing: its outputs are inputs or constants",
            "a network that computes something of an input",
            "export the whole network",
        )


def _none_right(tried: list[Tried]) -> UserError:
    """The failure of the likeliest attempt, which is the first, and what the others died of."""
    first, *others = tried
    error = first.error
    if not others:
        return error
    also = "; ".join(each.sentence for each in others)
    remedy = f"{error.remedy}\n  tried too: {also}".lstrip()
    return type(error)(error.found, error.expected, remedy)


@contextmanager
def _work_folder() -> Iterator[Path]:
    """A temporary folder. What a tool that failed left in it stays: the message names its log."""
    work = Path(tempfile.mkdtemp(prefix="mmdet2tflite-"))
    try:
        yield work
    except ToolFailed:
        raise
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    shutil.rmtree(work, ignore_errors=True)


def _preprocessing(
    normalisation: Normalisation | None, inputs: list[ir.Value]
) -> Preprocessing | None:
    if normalisation is None:
        return None
    size = _image_size(inputs)
    if size is None:
        raise ModelError(
            f"{len(inputs)} inputs",
            "one image, for --colours, --mean and --std",
            "leave these options out",
        )
    width, height = size
    return Preprocessing(
        width=width,
        height=height,
        colour_order=normalisation.colour_order,
        mean=normalisation.mean,
        std=normalisation.std,
    )


def _samples(
    request: Request, preprocessing: Preprocessing | None, inputs: list[ir.Value]
) -> Samples:
    if request.calibration is None:
        return samples.noise(inputs)
    width, height = _image_size(inputs) or (1, 1)
    default = Preprocessing(width=width, height=height)
    return samples.images(request.calibration, preprocessing or default, inputs)


def _image_size(inputs: list[ir.Value]) -> tuple[int, int] | None:
    """Width and height of the input, if that is one image."""
    axes = spatial_axes(inputs[0]) if len(inputs) == 1 else None
    if axes is None:
        return None
    shape = shape_of(inputs[0])
    return shape[axes[1]], shape[axes[0]]


def _publish(results: Path, out: Path) -> None:
    """Move the files into the folder, each complete. Raises StoreError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file in sorted(results.iterdir()):
            copy = out / f".{file.name}.{os.getpid()}"
            shutil.copy(file, copy)
            copy.replace(out / file.name)
    except OSError as error:
        raise StoreError(
            f"{out} cannot be written: {error.strerror}", "a folder to write to", "check --out"
        ) from error
