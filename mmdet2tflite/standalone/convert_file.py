"""One ONNX file → TFLite with passport and parity report: no data set, no store, no server."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import onnx_ir as ir

from mmdet2tflite.convert import samples
from mmdet2tflite.convert.samples import Samples
from mmdet2tflite.errors import (
    DISK_FULL,
    ConfigError,
    ModelError,
    ParityError,
    StoreError,
    ToolFailed,
    UserError,
    disk_full,
)
from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.edit import is_op, shape_of
from mmdet2tflite.graph.inputs import spatial_axes
from mmdet2tflite.graph.model_file import load_model
from mmdet2tflite.parity.check import PARITY_IMAGES
from mmdet2tflite.passport import Preprocessing
from mmdet2tflite.standalone.attempt import Network, attempt, steps
from mmdet2tflite.standalone.comparison import run_graph
from mmdet2tflite.standalone.quantise_results import check_precisions, quantise_results
from mmdet2tflite.standalone.reports import LOG, Conversion, Tried, write_reports
from mmdet2tflite.standalone.request import Normalisation, Request
from mmdet2tflite.standalone.warm import NOT_WARM, WarmTools

THREADS = 1
"""The converter runs beside the comparison of the graphs."""
CALIBRATION_SAMPLES = 300
"""At most: more change the ranges of activations by little (docs/quantisation.md)."""


def convert_file(
    request: Request,
    warm: WarmTools = NOT_WARM,
    on_step: Callable[[str], None] = lambda what: None,
) -> Conversion:
    """Convert, check, and only then put the results into ``request.out``.

    Where an attempt fails, the next one is made (``attempt.steps``); all are checked alike.

    Args:
        warm: children that have done their imports already, for the first attempt.
        on_step: called with what is done next.

    Raises:
        UserError: the model cannot be converted; nothing was written into ``request.out``.
        ParityError: no attempt keeps ``request.tolerance``.
    """
    if request.out.exists() and not request.out.is_dir():
        raise ConfigError(f"{request.out} is a file", "a folder for the results", "check --out")
    check_precisions(request)
    with _work_folder() as work, ThreadPoolExecutor(1) as pool:
        model = load_model(
            request.model, request.input_size, request.batch, request.input_shapes, request.cut
        )
        content = ir.to_proto(model).SerializeToString() if request.changes_network else None
        changes = canonicalise(model, lambda name: on_step(f"canonical form: {name}"))
        _check_work(request.model, model)
        inputs = list(model.graph.inputs)
        preprocessing = _preprocessing(request.normalisation, inputs)
        compared = _samples(request, preprocessing, inputs, PARITY_IMAGES)
        from mmdet2tflite.graph.verify import open_reference

        runner = open_reference(content or request.model, THREADS)
        reference = pool.submit(run_graph, runner, compared)
        network = Network(request, preprocessing, compared, reference, model)
        conversion, folder = _first_right(network, work, pool, warm, on_step)
        results = folder / "results"
        if request.precisions:
            on_step(f"quantising: {', '.join(request.precisions)}")
            calibration = _samples(request, preprocessing, inputs, CALIBRATION_SAMPLES)
            quantised = quantise_results(conversion, network, results, inputs, calibration)
            conversion = replace(conversion, quantised=quantised)
        write_reports(results, request, conversion, changes)
        shutil.copy(folder / LOG, results / LOG)
        _publish(results, request.out)
    return conversion


def _first_right(
    network: Network,
    work: Path,
    pool: ThreadPoolExecutor,
    warm: WarmTools,
    on_step: Callable[[str], None],
) -> tuple[Conversion, Path]:
    """The first attempt that gives the right file, and its folder. Raises what all died of."""
    tried: list[Tried] = []
    for number, step in enumerate(steps(network.request, network.model)):
        folder = work / str(number)
        on_step(f"attempt {number + 1}: {step.strategy} by {step.converter}")
        try:
            conversion = attempt(network, step, folder, pool, NOT_WARM if tried else warm)
        except (ModelError, ParityError, ToolFailed) as error:
            network.reference.result()  # without it no attempt is worth its time
            tried.append(Tried(step.strategy, step.converter, error))
        else:
            return replace(conversion, tried=tuple(tried)), folder
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
    except OSError as error:
        shutil.rmtree(work, ignore_errors=True)
        if error.errno in DISK_FULL:
            raise disk_full(work) from error
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
    request: Request, preprocessing: Preprocessing | None, inputs: list[ir.Value], count: int
) -> Samples:
    if request.calibration is None:
        return samples.noise(inputs)
    width, height = _image_size(inputs) or (1, 1)
    default = Preprocessing(width=width, height=height)
    return samples.given(request.calibration, preprocessing or default, inputs, count)


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
