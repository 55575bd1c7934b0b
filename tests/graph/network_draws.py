"""Random networks by number, of every kind: for runs of thousands, each of which can be repeated.

``networks`` draws for hypothesis, which shrinks what fails; here a seed says all.
"""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime

from tests.graph.network_guises import Guise, disguise
from tests.graph.network_heads import HEADS
from tests.graph.network_world import WORLD
from tests.graph.networks import LAYERS, MORE_OFTEN, OPSETS, grow

NEWER_OPSETS = {22: 10, 23: 11}
"""Opset and the IR version that goes with it."""
OFTEN = 0.15
NO_CONVOLUTION, CUBE, BATCH = 0.1, 0.1, 0.15


@dataclass(frozen=True, repr=False)
class Draw:
    """A model and what to feed it.

    Args:
        model: of any inputs and outputs.
        feeds: inputs by name.
        exact: per output, whether float32 computes it exactly however it is computed.
        what: layers, heads and guises, for a person.
    """

    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]
    exact: dict[str, bool]
    what: str


def draw(seed: int) -> Draw:
    """The network of this number."""
    random = np.random.default_rng(seed)
    opset = int(random.choice([*OPSETS, *NEWER_OPSETS]))
    side = int(random.integers(5, 13))
    shape = tuple(int(random.integers(*ends)) for ends in ((1, 5), (5, 25), (5, 25)))
    shape = (side, side, side) if random.random() < CUBE else shape
    names = [*LAYERS, *(MORE_OFTEN * 2), *WORLD]
    layers = [(str(name), int(random.integers(2**32))) for name in _some(random, names, 2, 9)]
    ends = ["a_map", "downsampled", "downsampled", *HEADS]
    heads = [(str(name), int(random.integers(2**32))) for name in _some(random, ends, 1, 3)]
    computed = any(name == "computed_kernel" for name, _ in layers)  # of one image
    batch = 2 if random.random() < BATCH and not computed else ["N", 1][int(random.integers(2))]
    network = grow(
        opset,
        shape,
        layers,
        heads,
        batch,
        named=bool(random.integers(2)),
        constants_as_nodes=random.random() < 0.2,
        layers_by_name=LAYERS | WORLD,
        convolution=random.random() > NO_CONVOLUTION,
    )
    image = np.repeat(network.image, 2, axis=0) if batch == 2 else network.image
    network.model.ir_version = NEWER_OPSETS.get(opset, network.model.ir_version)
    guise = Guise(network.model, {"image": image}, dict(network.exact))
    disguise(guise, random, OFTEN)
    _declare_ranks(guise)
    steps = ", ".join(name for name, _ in (*layers, *heads))
    what = f"opset {opset}, {batch} x {shape}: {steps}; {', '.join(guise.done) or 'plain'}"
    return Draw(guise.model, guise.feeds, guise.exact, what)


def _declare_ranks(guise: Guise) -> None:
    """Of the outputs that were added: ONNX wants them. ONNX Runtime finds them by running."""
    unknown = [v for v in guise.graph.output if not v.type.tensor_type.HasField("shape")]
    if not unknown:
        return
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(guise.model.SerializeToString(), options)
    names = [value.name for value in unknown]
    for value, array in zip(unknown, session.run(names, guise.feeds), strict=True):
        kind, sides = value.type.tensor_type.elem_type, [None] * array.ndim
        value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, kind, sides))


def _some(random: np.random.Generator, names: list[str], least: int, most: int) -> np.ndarray:
    return random.choice(names, random.integers(least, most + 1))
