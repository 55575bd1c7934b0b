"""The random networks themselves: rich enough, runnable, and exact where they say so."""

from collections import Counter

import numpy as np
import onnxruntime
from hypothesis import HealthCheck, given, settings

from tests.graph.networks import Network, networks, run

OFTEN = (
    *("Add", "AveragePool", "BatchNormalization", "Concat", "Conv", "Flatten", "GlobalAveragePool"),
    *("MaxPool", "Mul", "Pad", "ReduceMean", "Relu", "Reshape", "Resize", "Slice", "Transpose"),
)
"""Operators in every twentieth network, as a user's network has them."""
SOMETIMES = (
    *("ArgMax", "Clip", "ConvTranspose", "DepthToSpace", "Expand", "Gather", "Gemm", "HardSigmoid"),
    *("HardSwish", "Identity", "InstanceNormalization", "LRN", "LeakyRelu", "MatMul", "Max"),
    *("PRelu", "ReduceMax", "Sigmoid", "Softmax", "Split", "Tile", "Unsqueeze", "Upsample"),
)
"""In some."""

few = settings(
    max_examples=400,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def test_the_mix_has_every_operator_many_times() -> None:
    """Draws are fixed, so this fails only if someone changes the mix."""
    found: Counter[str] = Counter()
    drawn: list[Network] = []

    @settings(few, max_examples=1500)
    @given(networks())
    def count(network: Network) -> None:
        drawn.append(network)
        found.update({node.op_type for node in network.model.graph.node})

    count()
    assert {name for name in OFTEN if found[name] < len(drawn) / 20} == set()
    assert {name for name in SOMETIMES if not found[name]} == set()
    exact = [each for network in drawn for each in network.exact.values()]
    assert len(exact) / 4 < sum(exact) < len(exact)


@few
@given(networks())
def test_an_exact_output_has_the_same_bits_however_it_is_computed(network: Network) -> None:
    """ONNX Runtime's optimisations fuse layers and sum in another order."""
    plain = run(network.model, network.image)
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    optimised = run(network.model, network.image, level)
    for name, exact in network.exact.items():
        assert np.isfinite(plain[name]).all()
        if exact:
            np.testing.assert_array_equal(optimised[name], plain[name])
