"""One attempt of a stand-alone conversion: one padding strategy, one converter, checked."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from mmdet2tflite.backends.magnitude_table import MAGNITUDES, magnitude_metrics
from mmdet2tflite.config.names import ConverterName, PaddingName
from mmdet2tflite.convert.conversion import convert_graph
from mmdet2tflite.convert.converters.converter import ToolRun
from mmdet2tflite.convert.converters.table import CONVERTERS
from mmdet2tflite.convert.samples import Array, Feed, Samples
from mmdet2tflite.convert.spelling import CHANNELS_LAST_RANKS
from mmdet2tflite.files.digest import file_sha256
from mmdet2tflite.graph.edit import shape_of
from mmdet2tflite.graph.inputs import is_channels_last, spatial_axes
from mmdet2tflite.graph.model_file import save_model
from mmdet2tflite.graph.rewriting import Rewriting, true_pads
from mmdet2tflite.graph.strategies.auto import rewritings
from mmdet2tflite.graph.strategies.table import STRATEGIES
from mmdet2tflite.parity.check import check_parity, missed_outputs
from mmdet2tflite.parity.parity import TensorError
from mmdet2tflite.passport import Passport, Preprocessing, Tensor, TfliteOutput
from mmdet2tflite.standalone.comparison import (
    Outputs,
    as_onnx,
    better_orders,
    rounding_noise,
    run_file,
    run_graph,
)
from mmdet2tflite.standalone.reports import LOG, Conversion
from mmdet2tflite.standalone.request import Request
from mmdet2tflite.standalone.warm import NOT_WARM, WarmTools

if TYPE_CHECKING:  # pydantic is slow to import: while the converter runs is early enough
    from mmdet2tflite.convert.finish_tflite import ExpectedTflite


@dataclass(frozen=True, eq=False)
class Network:
    """What every attempt converts, and is compared with.

    Args:
        request: what was asked for.
        preprocessing: goes into the passport.
        samples: what is compared on.
        reference: what the network itself computes of them.
        model: its canonical form.
    """

    request: Request
    preprocessing: Preprocessing | None
    samples: Samples
    reference: "Future[Outputs]"
    model: ir.Model

    @cached_property
    def noise(self) -> dict[str, TensorError]:
        """What roundings alone do to an output."""
        return rounding_noise(self.model, self.samples)

    def check(self, expected: Outputs, found: Outputs, what: str) -> dict[str, float]:
        """``check_parity``; an output that misses the tolerance is judged by its own noise.

        Raises: as ``check_parity``.
        """
        tolerance = self.request.tolerance
        missed = missed_outputs(expected, found, tolerance)
        if not missed:
            return check_parity(expected, found, tolerance, what)
        metrics = check_parity(expected, found, tolerance, what, self.noise)
        noise = max(self.noise[name].relative for name in missed)
        return metrics | {"check.explained_by_rounding": float(len(missed)), "check.noise": noise}


@dataclass(frozen=True)
class Step:
    """What an attempt is to do."""

    rewriting: Rewriting
    strategy: PaddingName
    converter: ConverterName


def steps(request: Request, model: ir.Model) -> Iterator[Step]:
    """The attempts, in the order in which they are worth their time.

    1. Every exact strategy, the cheapest first, by the first converter (``--padding auto``).
    2. The cheapest, and ``explicit``, by each of the others (``--converter auto``).
    3. A strategy that changes no window otherwise than an earlier one is left out.

    Raises ModelError: the strategy refuses the network.
    """
    padding = request.padding
    found = rewritings(model) if padding == "auto" else [STRATEGIES[padding].rewrite(model.clone())]
    distinct: dict[object, Rewriting] = {}
    for rewriting in found:
        modes = tuple(decision.padding_mode for decision in rewriting.decisions)
        distinct.setdefault((modes, rewriting.rotation), rewriting)
    first, *others = CONVERTERS if request.converter == "auto" else (request.converter,)
    for rewriting in distinct.values():
        yield Step(rewriting, rewriting.chosen or padding, first)
    for converter in others:
        for number, rewriting in enumerate(distinct.values()):
            if number == 0 or rewriting.chosen == "explicit":
                yield Step(rewriting, rewriting.chosen or padding, converter)


def attempt(
    network: Network, step: Step, work: Path, pool: ThreadPoolExecutor, warm: WarmTools = NOT_WARM
) -> Conversion:
    """Convert and check. The file is ``work / "results" / MODEL.tflite``.

    Raises:
        UserError: the converter failed, or its file cannot be finished, loaded or run.
        ParityError: the rewritten graph or the file misses the tolerance.
    """
    request, rewriting = network.request, step.rewriting
    rewritten = work / f"{request.model.stem}.onnx"
    results = work / "results"
    results.mkdir(parents=True)
    save_model(rewriting.model, rewritten)
    # The converter stays in the thread that Ctrl-C stops.
    comparison = pool.submit(_compare_graphs, network, step)
    pool.submit(import_module, "mmdet2tflite.convert.finish_tflite")  # meanwhile
    run = ToolRun(work / "tool", work / LOG, request.timeout, warm.converter)
    converted, spelling = convert_graph(rewriting.model, rewritten, step.converter, run)
    expected, metrics = comparison.result()
    from mmdet2tflite.convert.finish_tflite import finish_tflite

    file = results / f"{request.model.stem}.tflite"
    form, passport = _expected_tflite(network, step, rewritten), _passport(network, step)
    finished = finish_tflite(converted, file, form, spelling, passport)
    outputs = _outputs(network, step, file, finished, warm)
    if orders := better_orders(expected, outputs, request.tolerance):
        form = replace(form, orders=orders)
        finished = finish_tflite(converted, file, form, spelling, passport)
        outputs = _outputs(network, step, file, finished, NOT_WARM)
    source = "the ONNX" if finished.exact else "the rewritten graph"
    metrics |= network.check(expected, outputs, f"{file.name} against {source}")
    magnitudes = json.loads((work / MAGNITUDES).read_text("utf-8"))
    metrics |= _census(file) | magnitude_metrics(magnitudes)
    return Conversion(
        request.out / file.name, finished, rewriting, network.samples.what, metrics, magnitudes
    )


def _compare_graphs(network: Network, step: Step) -> tuple[Outputs, dict[str, float]]:
    """What the file must compute, and how far the rewritten graph is from the original."""
    from mmdet2tflite.graph.verify import RewrittenRunner

    original, strategy = network.reference.result(), STRATEGIES[step.strategy]
    if strategy.flagged:  # the graph alone is not exact, the file on the reference backend is
        return original, {}
    runner = RewrittenRunner(step.rewriting.model, step.rewriting.rotation)
    rewritten = run_graph(runner, network.samples)
    what = "the rewritten graph against the ONNX"
    if strategy.exact:
        errors = network.check(original, rewritten, what)
    else:
        errors = check_parity(original, rewritten, float("inf"), what)
    metrics = {name.replace("check", "rewritten"): value for name, value in errors.items()}
    return original if strategy.exact else rewritten, metrics


def _outputs(
    network: Network, step: Step, file: Path, passport: "Passport", warm: WarmTools
) -> Outputs:
    found = run_file(
        file,
        passport,
        as_file(network.samples, step.rewriting.model.graph.inputs, passport),
        work=file.parent.parent,
        timeout=network.request.timeout,
        warm=warm.litert,
    )
    return as_onnx(passport, found)


def as_file(samples: Samples, inputs: Sequence[ir.Value], passport: "Passport") -> list[Feed]:
    """The feeds as a file takes them: rotated, if it says so; channels last."""
    values = {str(value.name): value for value in inputs}
    return [
        {
            name: _input_of_file(value, values[name], passport.rotation.input)
            for name, value in feed.items()
        }
        for feed in samples.feeds
    ]


def _input_of_file(value: Array, described: ir.Value, rotated: bool) -> Array:
    axes = spatial_axes(described)
    given = np.flip(value, axes) if rotated and axes else value
    last = value.ndim in CHANNELS_LAST_RANKS and not is_channels_last(described)
    return np.moveaxis(given, 1, -1) if last else given


def _census(file: Path) -> dict[str, float]:
    from mmdet2tflite.tflite.census import census_metrics, tflite_ops

    return census_metrics(tflite_ops(file), file)


def _expected_tflite(network: Network, step: Step, rewritten: Path) -> "ExpectedTflite":
    from mmdet2tflite.convert.finish_tflite import ExpectedTflite

    rewriting, strategy = step.rewriting, STRATEGIES[step.strategy]
    graph = rewriting.model.graph
    return ExpectedTflite(
        onnx=rewritten,
        inputs=tuple(str(value.name) for value in graph.inputs),
        outputs=tuple(
            Tensor(name=str(output.name), shape=shape_of(output)) for output in graph.outputs
        ),
        most_pads=rewriting.most_pads,
        rotation=rewriting.rotation,
        undo_rotation=not strategy.rotated_file,
        flags=true_pads(rewriting) if strategy.flagged else {},
        layout=network.request.output_layout,
        integers={
            str(output.name): output.dtype.name.lower()
            for output in graph.outputs
            if output.dtype is not None
        },
    )


def _passport(network: Network, step: Step) -> Passport:
    tools = (*CONVERTERS[step.converter].tools, "mmdet2tflite")
    return Passport(
        head=None,
        preprocessing=network.preprocessing,
        outputs=(),
        strategy=step.strategy,
        exact=STRATEGIES[step.strategy].exact,
        converter=step.converter,
        precision="float32",
        tools={tool: version(tool) for tool in tools},
        ancestors={"onnx": file_sha256(network.request.model)},
        inputs=tuple(_described(value) for value in step.rewriting.model.graph.inputs),
    )


def _described(value: ir.Value) -> TfliteOutput:
    """An input as the file takes it."""
    shape = shape_of(value)
    if len(shape) not in CHANNELS_LAST_RANKS or is_channels_last(value):
        return TfliteOutput(str(value.name), shape, "onnx")
    return TfliteOutput(str(value.name), (shape[0], *shape[2:], shape[1]), "nhwc")
