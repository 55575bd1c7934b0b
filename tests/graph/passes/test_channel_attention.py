"""Is channel attention behind a Concat moved before it, with the same numbers, and nothing else?"""

import numpy as np
import onnx
import pytest
from onnx import NodeProto

from mmdet2tflite.graph.passes.channel_attention import DistributeAttention
from tests.graph.passes.tiny import IMAGE, Done, apply, assert_same, build, integers, node

CHANNELS = 3  # two of x, one of its sum: parts of different size
CONSTANTS = {
    "one": np.ones((1, 2, 1, 1), np.float32),
    # Gates on both sides of the knees, and between them.
    "w": integers(CHANNELS, CHANNELS, 1, 1) / 4,
    "b": np.array([-9, 0.5, 9], np.float32),
}
PARTS = [
    node("Conv", ["x", "one"], ["s"], name="sum"),
    node("Concat", ["x", "s"], ["c"], name="concat", axis=1),
]
SIXTH = {"alpha": 1 / 6}
ROUNDING = 8 * np.finfo(np.float32).eps


def attention(value: str = "c", **more: object) -> list[NodeProto]:
    gate = {"factors": SIXTH, "product": [value, "g"], **more}
    return [
        node("GlobalAveragePool", [value], ["m"], name="mean"),
        node("Conv", ["m", "w", "b"], ["f"], name="fc"),
        node("HardSigmoid", ["f"], ["g"], name="gate", **gate["factors"]),
        node("Mul", gate["product"], ["y"], name="product"),
    ]


def move(nodes: list[NodeProto], **outputs: int) -> tuple[onnx.ModelProto, Done]:
    model = build(nodes, CONSTANTS, outputs=outputs or {"y": 4})
    return model, apply(DistributeAttention, model)


@pytest.mark.parametrize("product", [["c", "g"], ["g", "c"]])
@pytest.mark.parametrize("factors", [SIXTH, {}, {"alpha": 0.5, "beta": 0.25}])
def test_every_part_gets_its_own_gate_and_the_numbers_stay(
    product: list[str], factors: dict[str, float]
) -> None:
    model, done = move([*PARTS, *attention(product=product, factors=factors)])
    assert done.ops.count("AveragePool") == done.ops.count("Clip") == 2
    assert not {"GlobalAveragePool", "HardSigmoid"} & set(done.ops)
    assert done.sentences == ["moved the attention of Mul product before Concat concat"]
    image = np.random.default_rng(0).normal(size=IMAGE).astype(np.float32) * 4
    assert_same(model, done.model, relative=ROUNDING, image=image)


def test_a_mean_is_a_pooling_with_a_window_of_the_whole_map() -> None:
    _, done = move([*PARTS, *attention()])
    pools = [each for each in done.model.graph if each.op_type == "AveragePool"]
    assert [list(pool.attributes["kernel_shape"].as_ints()) for pool in pools] == [[7, 8], [7, 8]]


def test_two_in_a_row_are_both_moved() -> None:
    first = [*PARTS, *attention()]
    first[-1].output[0] = "y1"
    second = [
        node("Conv", ["y1", "w"], ["t"], name="between"),
        node("Concat", ["t", "y1"], ["d"], name="concat_2", axis=1),
        node("GlobalAveragePool", ["d"], ["m2"], name="mean_2"),
        node("Conv", ["m2", "w2", "b2"], ["f2"], name="fc_2"),
        node("HardSigmoid", ["f2"], ["g2"], name="gate_2", **SIXTH),
        node("Mul", ["d", "g2"], ["y"], name="product_2"),
    ]
    constants = {**CONSTANTS, "w2": integers(6, 6, 1, 1) / 8, "b2": integers(6)}
    model = build([*first, *second], constants)
    done = apply(DistributeAttention, model)
    assert len(done.sentences) == 2
    assert_same(model, done.model, relative=ROUNDING)


BOTH = [node("Conv", ["x", "two"], ["c"], name="plain")]
ROWS = [node("Conv", ["x", "two"], ["s"]), node("Concat", ["x", "s"], ["c"], axis=2)]
OF_TWO = {"two": integers(2, 2, 1, 1), "w": integers(2, 2, 1, 1), "b": integers(2)}


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([*BOTH, *attention()], OF_TWO),
        ([*ROWS, *attention()], OF_TWO),
        ([*PARTS, *attention(), node("Neg", ["c"], ["n"])], {}),
        ([*PARTS, *attention(), node("Neg", ["g"], ["n"])], {}),
        ([*PARTS, *attention(), node("Neg", ["m"], ["n"])], {}),
        ([*PARTS, *attention(product=["g", "g"])], {}),
    ],
    ids=[
        "no Concat",
        "of rows",
        "Concat is read",
        "gate is read",
        "mean is read",
        "another product",
    ],
)
def test_where_anything_is_different_nothing_is_moved(
    nodes: list[NodeProto], constants: dict[str, np.ndarray]
) -> None:
    outputs = {"y": 4, "n": 4} if any("n" in each.output for each in nodes) else {"y": 4}
    model = build(nodes, {**CONSTANTS, **constants}, outputs=outputs)
    assert apply(DistributeAttention, model).sentences == []
