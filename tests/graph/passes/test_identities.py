"""Does what changes nothing go, and nothing else?"""

import numpy as np
import pytest
from onnx import NodeProto

from mmdet2tflite.graph.passes.identities import RemoveIdentities
from tests.graph.passes.tiny import apply, assert_same, build, node

CONSTANTS = {
    "half": np.float32(0.5),
    "no": np.array(False),
    "yes": np.array(True),
    "nothing": np.zeros(8, np.int64),
    "zero": np.float32(0),
    "ones": np.ones((2, 1, 1), np.float32),
    "zeros": np.zeros((3, 1, 1, 1), np.float32),
    "something": np.array([0, 0, 1, 0, 0, 0, -1, 0]),
}


@pytest.mark.parametrize(
    "idle",
    [
        node("Identity", ["a"], ["b"], name="idle"),
        node("Dropout", ["a"], ["b"], name="idle"),
        node("Dropout", ["a", "half"], ["b", "mask"], name="idle"),
        node("Dropout", ["a", "half", "no"], ["b"], name="idle"),
        node("Cast", ["a"], ["b"], name="idle", to=1),
        node("Concat", ["a"], ["b"], name="idle", axis=1),
        node("Pad", ["a", "nothing"], ["b"], name="idle", mode="edge"),
        node("Add", ["a", "zero"], ["b"], name="idle"),
        node("Add", ["zero", "a"], ["b"], name="idle"),
        node("Sub", ["a", "zero"], ["b"], name="idle"),
        node("Mul", ["ones", "a"], ["b"], name="idle"),
        node("Div", ["a", "ones"], ["b"], name="idle"),
    ],
    ids=lambda idle: f"{idle.op_type} of {' '.join(idle.input)}",
)
@pytest.mark.parametrize("is_last", [False, True])
def test_it_goes(idle: NodeProto, is_last: bool) -> None:
    after = [] if is_last else [node("Neg", ["b"], ["y"])]
    output = "b" if is_last else "y"
    model = build([node("Relu", ["x"], ["a"]), idle, *after], CONSTANTS, outputs={output: 4})
    done = apply(RemoveIdentities, model)
    assert done.ops == ["Relu", *(each.op_type for each in after)]
    assert done.sentences == [f"removed {idle.op_type} idle, which changes nothing"]
    assert_same(model, done.model)


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        ([node("Identity", ["x"], ["y"])], {"y": 4}),
        ([node("Identity", ["half"], ["y"])], {"y": 0}),
        ([node("Relu", ["x"], ["y"]), node("Identity", ["y"], ["z"])], {"y": 4, "z": 4}),
    ],
    ids=["input to output", "constant to output", "output to output"],
)
def test_it_stays_where_a_name_would_be_lost(nodes: list[NodeProto], outputs: dict) -> None:
    model = build(nodes, CONSTANTS, outputs=outputs)
    done = apply(RemoveIdentities, model)
    assert "Identity" in done.ops
    assert_same(model, done.model)


@pytest.mark.parametrize(
    "busy",
    [
        node("Dropout", ["x", "half", "yes"], ["a"]),
        node("Cast", ["x"], ["a"], to=11),
        node("Concat", ["x", "x"], ["a"], axis=1),
        node("Pad", ["x", "something"], ["a"]),
        node("Add", ["x", "half"], ["a"]),
        node("Add", ["x", "zeros"], ["a"]),
        node("Sub", ["zero", "x"], ["a"]),
        node("Div", ["ones", "x"], ["a"]),
        node("Mul", ["x", "zero"], ["a"]),
    ],
    ids=lambda busy: f"{busy.op_type} of {' '.join(busy.input)}",
)
def test_what_changes_something_stays(busy: NodeProto) -> None:
    model = build([busy, node("Neg", ["a"], ["y"])], CONSTANTS)
    assert apply(RemoveIdentities, model).ops == [busy.op_type, "Neg"]


def test_a_dropout_stays_if_its_mask_is_read() -> None:
    nodes = [
        node("Dropout", ["x", "half"], ["d", "mask"]),
        node("Cast", ["mask"], ["m"], to=1),
        node("Mul", ["d", "m"], ["y"]),
    ]
    assert "Dropout" in apply(RemoveIdentities, build(nodes, CONSTANTS)).ops
