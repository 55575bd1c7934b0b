"""Random convolution networks for hypothesis: small, valid, and exact in float32 where possible.

1. A network is a list of layers, each a name and the seed of its own numbers: hypothesis shrinks a
   counterexample by leaving out layers, and drawing it costs next to nothing.
2. A layer reads one of the newest maps and may read older ones; one that does not fit is left out.
3. Weights and inputs are small integers. Every map knows its bound and the binary digits after its
   point, so the test knows which outputs must agree bit by bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from hypothesis import strategies as st

from tests.graph.network_builder import SOMETIMES, Builder, Layer, Map
from tests.graph.network_heads import HEADS
from tests.graph.network_mixing import MIXING
from tests.graph.network_pointwise import POINTWISE, convolve_1x1
from tests.graph.network_spatial import SPATIAL
from tests.graph.network_windows import WINDOWED

LAYERS: dict[str, Layer] = POINTWISE | WINDOWED | SPATIAL | MIXING
OPSETS = (9, 11, 13, 17, 20)
MORE_OFTEN = (
    *("conv", "conv_of_detectors", "conv_of_detectors", "conv_batch_norm_relu", "max_pool"),
    *(
        "average_pool",
        "pad",
        "pad",
        "strided_slice",
        "stem",
        "padded_window",
        "residual",
        "concat",
        "resize",
    ),
    "with_constant",
    "transposed_conv",
)
LARGEST_INPUT_VALUE = 4
SIZES = st.sampled_from([*range(5, 25), *range(6, 25, 2)])
"""More even ones than odd: stride 2 is interesting there, and Focus possible."""
AS_IT_STANDS = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL

type Steps = Sequence[tuple[str, int]]
"""Name and seed of each layer."""


@dataclass(frozen=True, repr=False)
class Network:
    """A model and what to feed it.

    Args:
        model: one input ``image``, one to three outputs.
        image: 1 x C x H x W.
        exact: per output, whether float32 computes it exactly however it is computed.
    """

    model: onnx.ModelProto
    image: np.ndarray
    exact: dict[str, bool]


def grow(
    opset: int,
    shape: tuple[int, int, int],
    layers: Steps,
    heads: Steps,
    batch: int | str = 1,
    named: bool = True,
    constants_as_nodes: bool = False,
    layers_by_name: Mapping[str, Layer] = LAYERS,
    convolution: bool = True,
) -> Network:
    """The network of these layers, with a convolution, unless that is not wanted.

    ``shape``: of the input, C x H x W.
    """
    image = Map("image", *shape, LARGEST_INPUT_VALUE)
    net = Builder(opset, image, named, constants_as_nodes)
    for name, seed in layers:
        random = np.random.default_rng(seed)
        # Mostly a chain; a layer now and then begins a branch.
        source = -1 if random.random() > SOMETIMES else random.integers(len(net.maps))
        grown = layers_by_name[name](net, random, net.maps[source])
        if grown is not None:
            net.maps.append(grown)
    if (convolution or len(net.maps) == 1) and not any(n.op_type == "Conv" for n in net.nodes):
        net.maps.append(convolve_1x1(net, np.random.default_rng(0), net.maps[-1], 2))
    for name, seed in heads:
        random = np.random.default_rng(seed)
        output = HEADS[name](net, random, _end(net, random))
        net.outputs[output.name] = output
    values = np.random.default_rng(len(layers)).integers(
        -LARGEST_INPUT_VALUE, LARGEST_INPUT_VALUE + 1, (1, *shape)
    )
    exact = {output.name: output.exact for output in net.outputs.values()}
    return Network(net.finish(batch), values.astype(np.float32), exact)


def _end(net: Builder, random: np.random.Generator) -> Map:
    """Mostly a map that nothing reads yet; never the input itself."""
    read = {name for node in net.nodes for name in node.input} | set(net.outputs)
    grown = net.maps[1:]
    loose = [each for each in grown if each.name not in read]
    ends = grown[-3:] if not loose or random.random() < SOMETIMES else loose
    return ends[random.integers(len(ends))]


def _steps(names: Sequence[str], least: int, most: int) -> st.SearchStrategy[Steps]:
    step = st.tuples(st.sampled_from(names), st.integers(0, 2**32 - 1))
    return st.lists(step, min_size=least, max_size=most)


def networks(opsets: Sequence[int] = OPSETS) -> st.SearchStrategy[Network]:
    """Three to ten layers, then one to three heads."""
    return st.builds(
        grow,
        opset=st.sampled_from(opsets),
        shape=st.tuples(st.integers(1, 4), SIZES, SIZES),
        layers=_steps([*LAYERS, *(MORE_OFTEN * 2)], 3, 10),
        heads=_steps(["a_map", "downsampled", "downsampled", *HEADS], 1, 3),
        batch=st.sampled_from([1, "N"]),
        named=st.booleans(),
        constants_as_nodes=st.booleans(),
    )


def run(
    model: onnx.ModelProto,
    image: np.ndarray,
    level: onnxruntime.GraphOptimizationLevel = AS_IT_STANDS,
) -> dict[str, np.ndarray]:
    """Every output by name, computed by ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(),
        options,
        ["CPUExecutionProvider"],
        disabled_optimizers=["Pad_Fusion"],  # it makes pads that ONNX Runtime itself refuses
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": image}), strict=True))
