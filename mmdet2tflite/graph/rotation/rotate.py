"""Rotates a network by 180°: every map is computed with its rows and columns flipped.

Each value of the rewritten graph holds the original one, flipped along some of its axes. An
operator with a rule (``table.py``) computes on flipped inputs, with its constants and attributes
changed where they count positions; any other has its inputs flipped back. Either way the numbers
are the original's but for the order in which sums are rounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.edit import describe
from mmdet2tflite.graph.rotation.rotation_plan import RotationPlan
from mmdet2tflite.graph.rotation.writing import RotationWriter
from mmdet2tflite.graph.window_operators import WindowOperator


@dataclass(frozen=True)
class RotatedGraph:
    """A graph after ``rotate_graph``.

    Args:
        windows: by node name, the geometry that the graph needs there now: flipped along the axes
            that are flipped, as it was along the others.
        rotated_input: the graph expects its inputs of rank 4 flipped along rows and columns.
        rotated_outputs: names of the outputs that are flipped along rows and columns.
        inner_flips: one sentence for every value that the graph flips inside: which, where, why.
    """

    windows: dict[str, WindowOperator]
    rotated_input: bool = False
    rotated_outputs: tuple[str, ...] = ()
    inner_flips: tuple[str, ...] = ()


def rotate_graph(model: ir.Model, windows: Sequence[WindowOperator]) -> RotatedGraph:
    """Rotate a canonical model in place, if that makes any of its windows SAME.

    1. ``plan.py`` decides how every value is held.
    2. If no window that is not SAME becomes SAME by it, the graph stays as it was: to rotate
       it would change nothing but the orientation.
    3. Otherwise the plan is written. The input is rotated then; where some operators need it
       unflipped, it is flipped inside, once.
    4. The pads of windows are not written: the caller writes each window as returned. Until then,
       the graph computes something else.

    Args:
        model: canonical; inputs and outputs keep their names.
        windows: all of ``find_window_operators``.

    Raises:
        ModelError: control flow, or a value without a static shape.
    """
    _refuse_control_flow(model.graph)
    plan = RotationPlan(model.graph)
    flipped = {}
    for window in windows:
        held = plan.steps[window.node].inputs[0]
        assert held is not None  # a window has an input
        flipped[window.name] = window.flip(2 in held.axes, 3 in held.axes)
    if not any(flipped[window.name].is_same and not window.is_same for window in windows):  # rule 2
        return RotatedGraph({window.name: window for window in windows})
    RotationWriter(model.graph, plan).write()
    return RotatedGraph(flipped, True, plan.rotated_outputs, tuple(plan.inner_flips))


def _refuse_control_flow(graph: ir.Graph) -> None:
    """A subgraph reads values of the outer graph that are none of its node's inputs."""
    for node in graph:
        kinds = {attribute.type for attribute in node.attributes.values()}
        if kinds & {ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS}:
            raise ModelError(
                f"control flow: {describe(node)}",
                "a graph without If, Loop and Scan",
                "export the model with fixed shapes and thresholds, so that nothing branches",
            )
