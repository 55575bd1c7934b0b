"""Does a hard swish that is written as a product become one operator, and nothing else?"""

import numpy as np
import onnx
import pytest
from onnx import NodeProto

from mmdet2tflite.graph.passes.hard_swish import FuseHardSwish
from tests.graph.passes.tiny import IMAGE, Done, apply, assert_same, build, node

SIXTH = {"alpha": 1 / 6, "beta": 0.5}
# Through both knees, -3 and 3, and the slope between them.
RAMP = np.linspace(-6, 6, np.prod(IMAGE), dtype=np.float32).reshape(IMAGE)
ROUNDING = 4 * np.finfo(np.float32).eps


def gate(source: str = "x", **factors: float) -> NodeProto:
    return node("HardSigmoid", [source], ["g"], name="gate", **(factors or SIXTH))


def fuse(*nodes: NodeProto, opset: int = 13, **outputs: int) -> tuple[onnx.ModelProto, Done]:
    model = build(nodes, outputs=outputs or {"y": 4}, opset=opset)
    return model, apply(FuseHardSwish, model)


@pytest.mark.parametrize("factors", [["x", "g"], ["g", "x"]])
@pytest.mark.parametrize("attributes", [SIXTH, {"alpha": 1 / 6}], ids=["both", "as PyTorch does"])
@pytest.mark.parametrize("opset", [13, 14, 17])
def test_a_value_times_its_hard_sigmoid_is_one_hard_swish(
    factors: list[str], attributes: dict[str, float], opset: int
) -> None:
    product = node("Mul", factors, ["y"], name="product")
    model, done = fuse(gate(**attributes), product, opset=opset)
    assert done.ops == ["HardSwish"]
    assert done.model.opset_imports[""] == max(opset, 14)
    assert done.sentences == ["wrote HardSigmoid gate and Mul product as one HardSwish"]
    assert_same(model, done.model, relative=ROUNDING, image=RAMP)


def test_two_in_a_row_are_both_found() -> None:
    model, done = fuse(
        gate(),
        node("Mul", ["x", "g"], ["a"], name="first"),
        node("HardSigmoid", ["a"], ["h"], **SIXTH),
        node("Mul", ["h", "a"], ["y"], name="second"),
    )
    assert done.ops == ["HardSwish", "HardSwish"]
    assert_same(model, done.model, relative=ROUNDING, image=RAMP)


@pytest.mark.parametrize(
    "nodes",
    [
        [gate(alpha=0.2, beta=0.5), node("Mul", ["x", "g"], ["y"])],
        [node("HardSigmoid", ["x"], ["g"]), node("Mul", ["x", "g"], ["y"])],
        [gate(alpha=1 / 6, beta=0.4), node("Mul", ["x", "g"], ["y"])],
        [node("Neg", ["x"], ["n"]), gate("n"), node("Mul", ["x", "g"], ["y"])],
        [gate(), node("Add", ["x", "g"], ["y"])],
        [gate(), node("Mul", ["g", "g"], ["y"])],
        [gate(), node("Mul", ["x", "g"], ["p"]), node("Add", ["p", "g"], ["y"])],
        [node("Sigmoid", ["x"], ["g"]), node("Mul", ["x", "g"], ["y"])],
    ],
    ids=[
        "another slope",
        "the default slope",
        "another middle",
        "another value",
        "a sum",
        "a square",
        "another reader",
        "swish",
    ],
)
def test_what_is_no_hard_swish_or_would_save_nothing_stays(nodes: list[NodeProto]) -> None:
    model, done = fuse(*nodes)
    assert done.ops == [each.op_type for each in nodes]
    assert done.model.opset_imports[""] == 13
    assert_same(model, done.model, image=RAMP)


def test_a_hard_sigmoid_that_is_a_graph_output_stays() -> None:
    model, done = fuse(gate(), node("Mul", ["x", "g"], ["y"]), y=4, g=4)
    assert done.ops == ["HardSigmoid", "Mul"]
    assert_same(model, done.model, image=RAMP)
