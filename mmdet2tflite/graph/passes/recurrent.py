"""LSTM, GRU and RNN become the operators of their steps, one after the other."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.edit import (
    constant,
    describe,
    integer,
    is_op,
    new_constant,
    new_node,
    redirect,
    shape_of,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass
from mmdet2tflite.graph.recurrent_steps import (
    GATES,
    Direction,
    activations_of,
    count_directions,
    given,
    input_of,
)

MOST_STEPS = 200
"""Of one direction: a step is some twelve operators."""
KNOWN_ACTIVATIONS = ("Relu", "Sigmoid", "Tanh")


class UnrollRecurrent(ReportingPass):
    """A recurrent operator over T steps → one MatMul for the inputs of all steps, then T steps.

    With W, R, b, c weights and biases of a gate, x the input and h the hidden state:

    1. RNN: h' = tanh(W·x + b + R·h + c).
    2. LSTM, gates i, o, f and candidate g as in 1: c' = f ⊙ c + i ⊙ g and h' = o ⊙ tanh(c').
    3. GRU, gates z, r: n = tanh(W·x + b + R·(r ⊙ h) + c), or with ``linear_before_reset``
       tanh(W·x + b + r ⊙ (R·h + c)); h' = n + z ⊙ (h - n), which is (1 - z) ⊙ n + z ⊙ h.
    4. A direction that runs backwards takes the steps from the last to the first.
    5. A state that begins as zero is left out of the first step.

    Refused: more than MOST_STEPS steps; computed weights; peepholes, ``clip``, ``input_forget``,
    ``layout`` 1, sequences of several lengths, and activations beside KNOWN_ACTIVATIONS.

    Source: ONNX operator specification, LSTM, GRU and RNN.

    Raises:
        ModelError: what is refused, with the name of the operator.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if not is_op(node, *GATES):
                continue
            _refuse(node)
            directions = [
                Direction(model.graph, node, index) for index in range(count_directions(node))
            ]
            for direction in directions:
                direction.unroll()
            steps = shape_of(input_of(node, 0))[0]
            _write_outputs(model.graph, node, directions)
            model.graph.remove(node, safe=True)
            self.changed(f"unrolled {describe(node)}: {len(directions)} x {steps} steps")


def _refuse(node: ir.Node) -> None:
    steps = shape_of(input_of(node, 0))[0]
    lengths = given(node, 4)
    known = None if lengths is None else constant(lengths)
    weights = [given(node, index) for index in (1, 2, 3)]
    reasons = {
        "has layout 1": integer(node, "layout", 0) != 0,
        f"has {steps} steps": steps > MOST_STEPS,
        "computes its weights": any(w is not None and constant(w) is None for w in weights),
        "clips its gates": "clip" in node.attributes,
        "couples its input and forget gates": integer(node, "input_forget", 0) != 0,
        "has peepholes": given(node, 7) is not None,
        "ends at several steps": lengths is not None
        and (known is None or bool((known != steps).any())),
        f"has the activations {', '.join(activations_of(node))}": not set(activations_of(node))
        <= set(KNOWN_ACTIVATIONS),
    }
    for reason, holds in reasons.items():
        if holds:
            raise ModelError(
                f"{describe(node)} {reason}",
                f"a recurrent operator of at most {MOST_STEPS} steps with constant weights, as "
                "PyTorch exports LSTM, GRU and RNN",
                "export the network for a shorter sequence, or cut it in front of the operator",
            )


def _write_outputs(graph: ir.Graph, node: ir.Node, directions: list[Direction]) -> None:
    """Y, steps x directions x batch x hidden; Y_h and Y_c, directions x batch x hidden."""

    def add(op_type: str, inputs: Sequence[ir.Value], axis: int, name: str, to: ir.Value) -> None:
        step = new_node(op_type, inputs, {"axis": axis}, name=name, like=to, shape=shape_of(to))
        graph.insert_before(node, step)
        redirect(to, step.outputs[0])

    for index, output in enumerate(node.outputs):
        if not output.uses() and not output.is_graph_output():
            continue
        if index > 0:
            ends = [end for each in directions if (end := each.state[index - 1])]
            if len(ends) == 1:  # onnx2tf has no Concat of one
                redirect(output, ends[0])
            else:
                add("Concat", ends, 0, f"{node.name}_end_{index}", output)
            continue
        # Step by step, direction by direction: one axis for both, then two.
        hidden = [
            value for pair in zip(*(d.hidden for d in directions), strict=True) for value in pair
        ]
        steps, count, batch, size = shape_of(output)
        flat = new_node(
            "Concat",
            hidden,
            {"axis": 0},
            name=f"{node.name}_steps",
            like=output,
            shape=(steps * count, batch, size),
        )
        target = new_constant(graph, f"{node.name}_shape", np.array(shape_of(output), np.int64))
        graph.insert_before(node, flat)
        reshape = new_node(
            "Reshape",
            [flat.outputs[0], target],
            name=f"{node.name}_sequence",
            like=output,
            shape=shape_of(output),
        )
        graph.insert_before(node, reshape)
        redirect(output, reshape.outputs[0])
