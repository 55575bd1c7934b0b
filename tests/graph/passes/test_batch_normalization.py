"""Is a batch normalisation folded where it can be, exactly, and elsewhere a Mul and an Add?"""

import numpy as np
import pytest

from mmdet2tflite.graph.edit import constant
from mmdet2tflite.graph.passes.batch_normalization import FoldBatchNormalization
from tests.graph.passes.tiny import apply, assert_same, build, integers, node

C = 4
EXACT = {
    # Square roots and factors are powers of two: nothing is rounded, in whatever order.
    "gamma": np.array([2, -4, 1, 8], np.float32),
    "beta": np.array([1, -2, 3, 0], np.float32),
    "mean": np.array([-1, 2, 0, 4], np.float32),
    "variance": np.array([4, 1, 16, 4], np.float32),
}
STATISTICS = list(EXACT)


def norm(source: str, target: str = "y", **attributes: object):
    return node(
        "BatchNormalization", [source, *STATISTICS], [target], name="bn", epsilon=0.0, **attributes
    )


LAYERS = {
    "conv": (node("Conv", ["x", "w"], ["c"], name="l"), (C, 2, 3, 3)),
    "conv with bias": (node("Conv", ["x", "w", "b"], ["c"], name="l"), (C, 2, 3, 3)),
    "grouped conv": (node("Conv", ["x", "w", "b"], ["c"], name="l", group=2), (C, 1, 3, 2)),
    "transposed conv": (
        node("ConvTranspose", ["x", "w"], ["c"], name="l", strides=[2, 2]),
        (2, C, 3, 3),
    ),
    "grouped transposed conv": (
        node("ConvTranspose", ["x", "w", "b"], ["c"], name="l", group=2),
        (2, C // 2, 2, 3),
    ),
}


@pytest.mark.parametrize(("layer", "shape"), LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("opset", [13, 15])
def test_it_is_folded_into_the_layer_before_it(layer, shape: tuple[int, ...], opset: int) -> None:
    constants = {**EXACT, "w": integers(*shape), "b": integers(C)}
    model = build([layer, norm("c")], constants, opset=opset)
    done = apply(FoldBatchNormalization, model)
    assert done.ops == [layer.op_type]
    assert done.sentences == [f"folded BatchNormalization bn into {layer.op_type} l"]
    assert_same(model, done.model)


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("bias", [(), (C,), (1, C)])
def test_it_is_folded_into_a_gemm(transposed: int, bias: tuple[int, ...]) -> None:
    shape = (C, 6) if transposed else (6, C)
    gemm = node("Gemm", ["x2", "w", "b"], ["c"], name="g", alpha=2.0, beta=0.5, transB=transposed)
    model = build(
        [node("Reshape", ["x", "flat"], ["x2"]), gemm, norm("c")],
        {**EXACT, "flat": np.array([1, 6]), "w": integers(*shape), "b": integers(*bias)},
        image=(1, 6, 1, 1),
        outputs={"y": 2},
    )
    done = apply(FoldBatchNormalization, model)
    assert done.ops == ["Reshape", "Gemm"]
    assert_same(model, done.model)


def test_the_folded_weights_are_rounded_once() -> None:
    random = np.random.default_rng(1)
    statistics = {name: random.random(C).astype(np.float32) for name in STATISTICS}
    weights, bias = random.random((C, 2, 1, 1), np.float32), random.random(C, np.float32)
    bn = node("BatchNormalization", ["c", *STATISTICS], ["y"], epsilon=1e-3)
    model = build(
        [node("Conv", ["x", "w", "b"], ["c"]), bn], {**statistics, "w": weights, "b": bias}
    )
    conv = apply(FoldBatchNormalization, model).one("Conv")
    gamma, beta, mean, variance = (statistics[name].astype(np.float64) for name in STATISTICS)
    # The attribute is a float32 of its own.
    factor = gamma / np.sqrt(variance + float(np.float32(1e-3)))
    wanted = (weights * factor.reshape(-1, 1, 1, 1)).astype(np.float32)
    np.testing.assert_array_equal(constant(conv.inputs[1]), wanted)
    shifted = ((bias - mean) * factor + beta).astype(np.float32)
    np.testing.assert_allclose(constant(conv.inputs[2]), shifted, rtol=np.finfo(np.float32).eps)


def test_epsilon_is_1e_5_if_the_node_does_not_say() -> None:
    statistics = {**EXACT, "variance": np.zeros(C, np.float32), "mean": np.zeros(C, np.float32)}
    bn = node("BatchNormalization", ["c", *STATISTICS], ["y"])
    weights = np.ones((C, 2, 1, 1), np.float32)
    model = build([node("Conv", ["x", "w"], ["c"]), bn], {**statistics, "w": weights})
    conv = apply(FoldBatchNormalization, model).one("Conv")
    found = constant(conv.inputs[1])
    assert found is not None
    np.testing.assert_allclose(found[:, 0, 0, 0], EXACT["gamma"] / np.sqrt(1e-5), rtol=1e-7)


def test_weights_that_two_layers_share_are_scaled_for_one_of_them() -> None:
    model = build(
        [
            node("Conv", ["x", "w"], ["c"], name="first"),
            norm("c"),
            node("Conv", ["x", "w"], ["z"], name="second"),
        ],
        {**EXACT, "w": integers(C, 2, 3, 3)},
        outputs={"y": 4, "z": 4},
    )
    done = apply(FoldBatchNormalization, model)
    assert done.ops == ["Conv", "Conv"]
    assert_same(model, done.model)


MUL_AND_ADD = {
    "no layer before it": ([node("Relu", ["x"], ["c"])], {"y": 4}),
    "another reader": (
        [node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["z"])],
        {"y": 4, "z": 4},
    ),
    "a graph output before it": ([node("Conv", ["x", "w"], ["c"])], {"c": 4, "y": 4}),
    "computed weights": (
        [node("Slice", ["x", "nought", "one"], ["v"]), node("Conv", ["x", "v"], ["c"])],
        {"y": 4},
    ),
}


@pytest.mark.parametrize(("before", "outputs"), MUL_AND_ADD.values(), ids=MUL_AND_ADD)
def test_elsewhere_it_is_a_multiplication_and_an_addition(before: list, outputs: dict) -> None:
    # Computed weights: the image itself, 4 x 4 x 2 x 1.
    if len(before) == 2 and before[0].op_type == "Slice":
        before = [node("Reshape", ["x", "as_weights"], ["v"]), before[1]]
    constants = {
        **EXACT,
        "w": integers(C, C, 1, 1),
        "as_weights": np.array([4, 4, 2, 1]),
    }
    model = build([*before, norm("c")], constants, image=(1, C, 4, 2), outputs=outputs)
    done = apply(FoldBatchNormalization, model)
    assert done.ops == [*(each.op_type for each in before), "Mul", "Add"]
    assert done.sentences == [
        "wrote BatchNormalization bn as Mul and Add: no layer before it to fold into"
    ]
    operand = constant(done.one("Mul").inputs[1])
    assert operand is not None
    assert operand.shape == (1, C, 1, 1)
    assert_same(model, done.model)


def test_a_vector_is_normalised_by_constants_of_two_axes() -> None:
    model = build(
        [node("Reshape", ["x", "flat"], ["c"]), norm("c")],
        {**EXACT, "flat": np.array([1, C])},
        image=(1, C, 1, 1),
        outputs={"y": 2},
    )
    done = apply(FoldBatchNormalization, model)
    assert done.ops == ["Reshape", "Mul", "Add"]
    assert_same(model, done.model)


def test_training_mode_and_computed_statistics_stay() -> None:
    nodes = [
        node(
            "BatchNormalization",
            ["x", *STATISTICS],
            ["y", "m", "v"],
            name="trained",
            training_mode=1,
        ),
        node("ReduceMean", ["x"], ["mu"], axes=[0, 2, 3], keepdims=0),
        node("BatchNormalization", ["x", "gamma", "beta", "mu", "variance"], ["z"], name="moving"),
    ]
    model = build(nodes, EXACT, image=(1, C, 3, 3), outputs={"y": 4, "z": 4}, opset=15)
    reason = "it is in training mode, or its statistics are not constant"
    assert apply(FoldBatchNormalization, model).sentences == [
        f"left BatchNormalization {name} as it is: {reason}" for name in ("trained", "moving")
    ]
