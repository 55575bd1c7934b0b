"""What a network computes on the samples, and how far a file is from it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import onnx_ir as ir

from mmdet2tflite.backends.magnitude_table import MAGNITUDES
from mmdet2tflite.convert.samples import SEED, Array, Feed, Samples
from mmdet2tflite.graph.edit import constant, is_op, readers
from mmdet2tflite.graph.rewriting import NOT_ROTATED
from mmdet2tflite.graph.verify import RewrittenRunner
from mmdet2tflite.parity.check import missed_outputs
from mmdet2tflite.parity.parity import TensorError, compare_outputs, worst
from mmdet2tflite.passport import Passport
from mmdet2tflite.processes.toolchain import WarmPython, run_python
from mmdet2tflite.standalone.warm import RUN_WORKER

if TYPE_CHECKING:
    from mmdet2tflite.convert.tflite_file import AxisOrder

type Outputs = dict[str, Array]
"""Samples x shape, by name, as the ONNX has it."""

DRAWS = 3
WEIGHTED = (
    *("Conv", "ConvTranspose", "Gemm", "MatMul"),
    *("Add", "Div", "Mul", "PRelu", "Sub"),
    *("InstanceNormalization", "LayerNormalization"),
)


class Runs(Protocol):
    """What is needed of a runner."""

    def run(self, feed: Mapping[str, Array]) -> Mapping[str, Array]:
        """Outputs by name."""
        ...


def run_graph(runner: Runs, samples: Samples) -> Outputs:
    """What a graph computes."""
    found = [runner.run(feed) for feed in samples.feeds]
    return {name: np.stack([outputs[name] for outputs in found]) for name in found[0]}


def run_file(
    file: Path,
    passport: Passport,
    feeds: Sequence[Feed],
    *,
    work: Path,
    timeout: float,
    warm: WarmPython | None,
) -> Outputs:
    """What a finished file computes, its outputs in the file's own layout.

    ``work / MAGNITUDES`` tells how large its tensors become.

    Args:
        feeds: as the file takes them.

    Raises:
        ModelError: it does not load or run. ToolFailed: it brings its interpreter down.
    """
    given, found = work / "inputs.npz", work / "outputs.npz"
    arrays = {name: np.stack([feed[name] for feed in feeds]) for name in feeds[0]}
    np.savez(given, allow_pickle=False, **arrays)
    flagged = passport.strategy == "engine"
    run_python(
        "ai-edge-litert",
        RUN_WORKER,
        [file, "flagged" if flagged else "", given, found, work / MAGNITUDES],
        log=work / "litert.log",
        timeout=timeout,
        warm=warm,
    )
    with np.load(found, allow_pickle=False) as outputs:
        return dict(outputs)


def rounding_noise(model: ir.Model, samples: Samples) -> dict[str, TensorError]:
    """How far apart two float32 computations of a network may be, by output.

    1. Its weights (constants of ``WEIGHTED`` operators) are moved by one unit in the last place, up
       or down by chance, and the network is run again: what its outputs move by is what a rounding
       in every layer does to them. The worst of ``DRAWS`` counts.
    2. Its inputs stay: both computations have the same ones, to the last bit. A network that
       compares them with something must not be excused.
    3. Integers and truth values are not rounded: nothing explains a difference of theirs.

    This is the perturbation of Monte Carlo arithmetic (Parker, 1997), at the places where float32
    rounds first.
    """
    random = np.random.default_rng(SEED)
    exact = run_graph(RewrittenRunner(model, NOT_ROTATED), samples)
    draws = []
    for _ in range(DRAWS):
        perturbed = model.clone()
        for value in perturbed.graph.initializers.values():
            array = constant(value)
            if array is not None and all(is_op(node, *WEIGHTED) for node in readers(value)):
                value.const_value = ir.tensor(_next_to(random, array), name=value.name)
        outputs = run_graph(RewrittenRunner(perturbed, NOT_ROTATED), samples)
        draws.append(compare_outputs(exact, outputs))
    return {
        name: worst([draw[name] for draw in draws])
        for name, values in exact.items()
        if values.dtype.kind == "f"
    }


def _next_to(random: np.random.Generator, values: Array) -> Array:
    if values.dtype != np.float32:
        return values
    upwards = np.where(random.random(values.shape) < 0.5, np.inf, -np.inf).astype(np.float32)
    return np.where(values == 0, values, np.nextafter(values, upwards))


def as_onnx(passport: Passport, outputs: Outputs) -> Outputs:
    """A file's outputs as the ONNX has them."""
    rotated = passport.rotation.outputs
    found = {}
    for output in passport.outputs:
        value = outputs[output.name]
        value = np.moveaxis(value, -1, 2) if output.layout == "nhwc" else value
        found[output.name] = value[..., ::-1, ::-1] if output.name in rotated else value
    return found


def better_orders(expected: Outputs, found: Outputs, tolerance: float) -> "dict[str, AxisOrder]":
    """Of outputs that are right but for the order of their axes: axis i was axis ``order[i]``.

    That happens where two sides are equal, so that a shape does not tell layouts apart.
    """
    from mmdet2tflite.convert.tflite_file import axis_orders

    orders = {}
    for name in missed_outputs(expected, found, tolerance):
        values, shape = expected[name], expected[name].shape[1:]
        for order in axis_orders(shape, shape):
            turned = values.transpose(0, *(axis + 1 for axis in order))
            if not missed_outputs({name: turned}, {name: found[name]}, tolerance):
                orders[name] = order
                break
    return orders
