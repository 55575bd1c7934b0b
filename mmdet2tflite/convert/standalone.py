"""One ONNX file → TFLite with passport and parity report: no data set, no store, no server."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmdet2tflite.convert import samples
from mmdet2tflite.convert.converters.converter import ToolRun
from mmdet2tflite.convert.converters.table import CONVERTERS
from mmdet2tflite.convert.request import Normalisation, Request
from mmdet2tflite.convert.samples import Samples
from mmdet2tflite.convert.standalone_report import LOG, Conversion, write_reports
from mmdet2tflite.convert.warm import NOT_WARM, RUN_WORKER, WarmTools
from mmdet2tflite.errors import ConfigError, StoreError, ToolFailed
from mmdet2tflite.files.digest import file_sha256
from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.edit import shape_of
from mmdet2tflite.graph.model_file import load_model, save_model
from mmdet2tflite.graph.rewriting import Rewriting, true_pads
from mmdet2tflite.graph.strategies.table import STRATEGIES
from mmdet2tflite.parity.check import check_parity, run_on_tensors
from mmdet2tflite.processes.toolchain import WarmPython, run_python
from mmdet2tflite.runtime.decode import Floats

if TYPE_CHECKING:  # pydantic is slow to import: while the converter runs is early enough
    from mmdet2tflite.artifacts import Passport, Preprocessing
    from mmdet2tflite.convert.finish_tflite import ExpectedTflite

THREADS = 1
"""The converter runs beside the comparison of the graphs."""

type Outputs = dict[str, Floats]


def convert_file(request: Request, warm: WarmTools = NOT_WARM) -> Conversion:
    """Convert, check, and only then put the results into ``request.out``.

    Args:
        warm: children that have done their imports already.

    Raises:
        UserError: the model cannot be converted; nothing was written into ``request.out``.
        ParityError: the rewritten graph or the file misses ``request.tolerance``.
    """
    if request.out.exists() and not request.out.is_dir():
        raise ConfigError(f"{request.out} is a file", "a folder for the results", "check --out")
    with _work_folder() as work:
        model = load_model(request.model, request.input_size)
        changes = canonicalise(model)
        shape = shape_of(model.graph.inputs[0])
        preprocessing = _preprocessing(request.normalisation, shape)
        inputs = _samples(request, preprocessing, shape)
        rewriting = STRATEGIES[request.padding].rewrite(model)
        rewritten = work / f"{request.model.stem}.onnx"
        save_model(rewriting.model, rewritten)
        run = ToolRun(work / "tool", work / LOG, request.timeout, warm.converter)
        with ThreadPoolExecutor(1) as pool:  # the converter stays in the thread that Ctrl-C stops
            comparison = pool.submit(_compare_graphs, request, rewriting, inputs)
            pool.submit(import_module, "mmdet2tflite.convert.finish_tflite")  # meanwhile
            converted = CONVERTERS[request.converter].convert(rewritten, run)
            expected, metrics = comparison.result()
            results = work / "results"
            results.mkdir()
            file = results / f"{request.model.stem}.tflite"
            passport = _finish_tflite(request, rewriting, preprocessing, rewritten, converted, file)
            census = pool.submit(_census, file)
            metrics |= _compare_file(request, passport, file, inputs, expected, work, warm.litert)
            metrics |= census.result()
        conversion = Conversion(request.out / file.name, passport, rewriting, inputs.what, metrics)
        write_reports(results, request, conversion, changes)
        shutil.copy(work / LOG, results / LOG)
        _publish(results, request.out)
    return conversion


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
    normalisation: Normalisation | None, shape: tuple[int, ...]
) -> "Preprocessing | None":
    if normalisation is None:
        return None
    from mmdet2tflite.artifacts import Preprocessing

    _, _, height, width = shape
    return Preprocessing(
        width=width,
        height=height,
        colour_order=normalisation.colour_order,
        mean=normalisation.mean,
        std=normalisation.std,
    )


def _samples(
    request: Request, preprocessing: "Preprocessing | None", shape: tuple[int, ...]
) -> Samples:
    if request.calibration is None:
        return samples.noise(shape)
    from mmdet2tflite.artifacts import Preprocessing

    _, channels, height, width = shape
    default = Preprocessing(width=width, height=height)
    return samples.images(request.calibration, preprocessing or default, channels)


def _compare_graphs(
    request: Request, rewriting: Rewriting, inputs: Samples
) -> tuple[Outputs, dict[str, float]]:
    """What the file must compute, and how far the rewritten graph is from the original."""
    from mmdet2tflite.graph.verify import RewrittenRunner, open_reference

    original = run_on_tensors(open_reference(request.model, THREADS), inputs.inputs)
    strategy = STRATEGIES[rewriting.chosen or request.padding]
    if strategy.flagged:  # the graph alone is not exact, the file on the reference backend is
        return original, {}
    runner = RewrittenRunner(rewriting.model, rewriting.rotation)
    rewritten = run_on_tensors(runner, inputs.inputs)
    tolerance = request.tolerance if strategy.exact else float("inf")
    errors = check_parity(original, rewritten, tolerance, "the rewritten graph against the ONNX")
    metrics = {name.replace("check", "rewritten"): value for name, value in errors.items()}
    return original if strategy.exact else rewritten, metrics


def _finish_tflite(
    request: Request,
    rewriting: Rewriting,
    preprocessing: "Preprocessing | None",
    rewritten: Path,
    converted: Path,
    file: Path,
) -> "Passport":
    from mmdet2tflite.convert.finish_tflite import finish_tflite

    expected = _expected_tflite(request, rewriting, rewritten)
    return finish_tflite(converted, file, expected, _passport(request, rewriting, preprocessing))


def _census(file: Path) -> dict[str, float]:
    from mmdet2tflite.tflite.census import census_metrics, tflite_ops

    return census_metrics(tflite_ops(file), file)


def _expected_tflite(request: Request, rewriting: Rewriting, rewritten: Path) -> "ExpectedTflite":
    from mmdet2tflite.artifacts import Rotation, Tensor
    from mmdet2tflite.convert.finish_tflite import ExpectedTflite

    strategy = STRATEGIES[rewriting.chosen or request.padding]
    return ExpectedTflite(
        onnx=rewritten,
        outputs=tuple(
            Tensor(name=str(output.name), shape=shape_of(output))
            for output in rewriting.model.graph.outputs
        ),
        pads=rewriting.pads,
        rotation=Rotation(**asdict(rewriting.rotation)),
        undo_rotation=not strategy.rotated_file,
        flags=true_pads(rewriting) if strategy.flagged else {},
    )


def _passport(
    request: Request, rewriting: Rewriting, preprocessing: "Preprocessing | None"
) -> "Passport":
    from mmdet2tflite.artifacts import Passport

    strategy = rewriting.chosen or request.padding
    tools = (*CONVERTERS[request.converter].tools, "mmdet2tflite")
    return Passport(
        head=None,
        preprocessing=preprocessing,
        outputs=(),
        strategy=strategy,
        exact=STRATEGIES[strategy].exact,
        converter=request.converter,
        precision="float32",
        tools={tool: version(tool) for tool in tools},
        ancestors={"onnx": file_sha256(request.model)},
    )


def _compare_file(
    request: Request,
    passport: "Passport",
    file: Path,
    inputs: Samples,
    expected: Outputs,
    work: Path,
    warm: WarmPython | None,
) -> dict[str, float]:
    """The file against the ONNX, or, where the strategy is not exact, the rewritten graph."""
    described, given, found = (work / n for n in ("passport.json", "inputs.npz", "outputs.npz"))
    described.write_text(passport.model_dump_json(), encoding="utf-8")
    np.savez(given, inputs=inputs.inputs)
    run_python(
        "ai-edge-litert",
        RUN_WORKER,
        [file, described, given, found],
        log=work / "litert.log",
        timeout=request.timeout,
        warm=warm,
    )
    with np.load(found, allow_pickle=False) as arrays:
        outputs = dict(arrays)
    source = "the ONNX" if passport.exact else "the rewritten graph"
    return check_parity(expected, outputs, request.tolerance, f"{file.name} against {source}")


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
