"""Any convolution network computes the same when it is rotated."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir as ir
from hypothesis import HealthCheck, given, settings

from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.rotation.rotation_plan import RotationPlan
from mmdet2tflite.graph.rotation.writing import RotationWriter
from mmdet2tflite.graph.window_operators import find_window_operators
from tests.graph.networks import Network, networks, run
from tests.graph.rotation.nets import write_pads

ROUNDING = 1e-4
"""Of the range: layers of float32 behind each other."""


def rotate(model: ir.Model) -> Sequence[str]:
    """What ``rotate_graph`` does, even where no window gains; returns the outputs that stay so."""
    windows, plan = find_window_operators(model.graph), RotationPlan(model.graph)
    RotationWriter(model.graph, plan).write()
    for window in windows:
        held = plan.steps[window.node].inputs[0].axes
        write_pads(window.flip(2 in held, 3 in held))
    return plan.rotated_outputs


@settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(networks(opsets=(13, 17, 20)))
def test_a_rotated_network_computes_the_same(network: Network) -> None:
    network.model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    model = ir.from_proto(network.model)
    canonicalise(model)
    expected = run(ir.to_proto(model), network.image)
    rotated_outputs = rotate(model)
    rotated = ir.to_proto(model)
    onnx.checker.check_model(rotated, full_check=True)
    for name, value in run(rotated, np.flip(network.image, (2, 3))).items():
        unrotated = np.flip(value, (2, 3)) if name in rotated_outputs else value
        tolerance = 0 if network.exact[name] else ROUNDING * np.abs(expected[name]).max()
        assert np.abs(unrotated - expected[name]).max() <= tolerance
