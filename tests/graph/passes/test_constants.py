"""Does the walk leave static shapes and initializers only, and refuse by name what it cannot?"""

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.edit import constant
from mmdet2tflite.graph.passes.constants import FoldConstants
from tests.graph.passes.tiny import IMAGE, Done, assert_same, build, node

INT64 = TensorProto.INT64
CONVOLUTION = {"w": np.ones((1, 2, 1, 1), np.float32)}


def fold(model: onnx.ModelProto) -> Done:
    converted = ir.from_proto(model)
    step = FoldConstants()
    step(converted)
    return Done(converted, step.sentences)


def scalar(name: str, value: int) -> onnx.NodeProto:
    return node("Constant", [], [name], value_int=value)


def test_a_shape_chain_becomes_the_shape_of_its_reshape() -> None:
    model = build(
        [
            node("Shape", ["x"], ["s"]),
            scalar("two", 2),
            node("Gather", ["s", "two"], ["h"]),
            node("Unsqueeze", ["h", "zero"], ["h1"]),
            node("Cast", ["h1"], ["hf"], to=TensorProto.FLOAT),
            node("Cast", ["hf"], ["hi"], to=INT64),
            node("Concat", ["one", "hi", "rest"], ["target"], axis=0),
            node("Reshape", ["x", "target"], ["y"]),
        ],
        {"zero": np.array([0]), "one": np.array([1]), "rest": np.array([-1, 4])},
    )
    done = fold(model)
    assert done.ops == ["Reshape"]
    assert_same(model, done.model)
    target = constant(done.one("Reshape").inputs[1])
    assert target is not None
    assert target.tolist() == [1, 7, -1, 4]


def test_scalars_keep_their_rank() -> None:
    model = build([scalar("i", 1), node("Gather", ["x", "i"], ["y"], axis=2)], outputs={"y": 3})
    done = fold(model)
    assert done.ops == ["Gather"]
    assert_same(model, done.model)


def test_part_of_a_shape_and_size_are_constants() -> None:
    model = build(
        [
            node("Shape", ["x"], ["s"], start=1, end=-1),
            node("Size", ["x"], ["n"]),
            node("Expand", ["n", "s"], ["m"]),
            node("Cast", ["m"], ["f"], to=TensorProto.FLOAT),
            node("Conv", ["x", "w"], ["c"]),
            node("ReduceSum", ["f"], ["sum"], keepdims=0),
            node("Add", ["c", "sum"], ["y"]),
        ],
        CONVOLUTION,
        opset=15,
    )
    done = fold(model)
    assert done.ops == ["Conv", "Add"]
    assert_same(model, done.model)
    total = constant(done.one("Add").inputs[1])
    assert total is not None
    assert total == 2 * 7 * 112


def test_constant_of_shape_is_computed() -> None:
    model = build(
        [
            node("Shape", ["x"], ["s"]),
            node("ConstantOfShape", ["s"], ["o"], value=helper.make_tensor("v", 1, [1], [3.0])),
            node("Mul", ["x", "o"], ["y"]),
        ]
    )
    done = fold(model)
    assert done.ops == ["Mul"]
    assert_same(model, done.model)


def test_a_graph_output_stays_the_output_of_a_node() -> None:
    model = build(
        [node("Relu", ["x"], ["y"]), node("Neg", ["c"], ["z"])],
        {"c": np.ones((1, 2), np.float32)},
        outputs={"y": 4, "z": 2},
    )
    done = fold(model)
    assert done.ops == ["Relu", "Neg"]
    assert_same(model, done.model)


def test_random_numbers_are_no_constants() -> None:
    model = build(
        [
            node("RandomNormal", [], ["r"], shape=[1, 2, 1, 1]),
            node("RandomNormalLike", ["c"], ["l"]),
            node("Sum", ["x", "r", "l"], ["y"]),
        ],
        {"c": np.ones((1, 2, 1, 1), np.float32)},
    )
    assert fold(model).ops == ["RandomNormal", "RandomNormalLike", "Sum"]


def test_sentences_name_what_was_computed_but_not_mere_constants() -> None:
    nodes = [
        scalar("a", 2),
        node("Neg", ["a"], ["b"], name="minus"),
        node("Cast", ["b"], ["f"], name="as_float", to=TensorProto.FLOAT),
        node("Mul", ["x", "f"], ["y"]),
    ]
    assert fold(build(nodes)).sentences == [
        "computed the constant Neg minus",
        "computed the constant Cast as_float",
    ]


@pytest.mark.parametrize(
    ("pool", "height"),
    [
        # ceil((7 - 2) / 2) + 1 = 4; the last window starts at 6, inside.
        ({"kernel_shape": [2, 1], "strides": [2, 1]}, 4),
        # ceil((7 - 1) / 4) + 1 = 3, but the third starts at 8 = 7 + 1: dropped.
        ({"kernel_shape": [1, 1], "strides": [4, 1]}, 2),
        # ceil((9 - 3) / 4) + 1 = 3, but the third starts at 8 = 7 + 1, in the end pad: dropped.
        ({"kernel_shape": [3, 1], "strides": [4, 1], "pads": [1, 0, 1, 0]}, 2),
        # SAME: ceil(7 / 4), whatever the mode.
        ({"kernel_shape": [1, 1], "strides": [4, 1], "auto_pad": "SAME_UPPER"}, 2),
        # SAME: ceil(7 / 2), which is more than fit without padding.
        ({"kernel_shape": [3, 1], "strides": [2, 1], "auto_pad": "SAME_UPPER"}, 4),
    ],
)
def test_ceil_mode_has_the_outputs_that_onnxruntime_gives(pool: dict, height: int) -> None:
    model = build([node("MaxPool", ["x"], ["y"], ceil_mode=1, **pool)])
    done = fold(model)
    assert_same(model, done.model)
    assert done.model.graph.outputs[0].shape == (1, 2, height, 8)


def branches() -> dict[str, onnx.GraphProto]:
    """Branches that read ``x`` of the outer graph; one has an initializer, the other a constant."""
    one = helper.make_tensor("one", 1, [1], [1.0])
    result = [helper.make_tensor_value_info("r", 1, None)]
    other = [helper.make_tensor_value_info("q", 1, None)]
    return {
        "then_branch": helper.make_graph(
            [node("Add", ["x", "one"], ["r"])], "t", [], result, [one]
        ),
        "else_branch": helper.make_graph(
            [
                node("Constant", [], ["two"], value_float=2.0),
                node("Mul", ["x", "two"], ["q"], name="times"),
            ],
            "e",
            [],
            other,
        ),
    }


@pytest.mark.parametrize(("rows", "left"), [(7, "Add"), (6, "Mul")])
def test_a_constant_condition_leaves_the_branch_that_is_taken(rows: int, left: str) -> None:
    model = build(
        [
            node("Shape", ["x"], ["s"]),
            scalar("axis", 2),
            node("Gather", ["s", "axis"], ["h"]),
            scalar("rows", rows),
            node("Equal", ["h", "rows"], ["same"]),
            node("If", ["same"], ["i"], name="which", **branches()),
            node("Relu", ["i"], ["y"]),
        ]
    )
    done = fold(model)
    assert [op for op in done.ops if op != "Identity"] == [left, "Relu"]
    branch = "then_branch" if left == "Add" else "else_branch"
    assert f"replaced If which by its {branch}" in done.sentences
    assert_same(model, done.model)


def test_an_if_that_is_a_graph_output_leaves_its_name() -> None:
    condition = node("Constant", [], ["yes"], value=helper.make_tensor("v", 9, [], [True]))
    model = build([condition, node("If", ["yes"], ["y"], **branches())])
    done = fold(model)
    assert done.ops == ["Add", "Identity"]
    assert_same(model, done.model)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (
            lambda: [
                node("ReduceMax", ["x"], ["m"], keepdims=0),
                node("Cast", ["m"], ["b"], to=9),
                node("If", ["b"], ["y"], name="which", **branches()),
            ],
            "control flow: If which",
        ),
        (
            lambda: [
                node("NonZero", ["x"], ["nz"], name="where"),
                node("Cast", ["nz"], ["f"], to=1),
                node("Relu", ["x"], ["y"]),
            ],
            "NonZero where gives nz the shape [4,",
        ),
        (
            lambda: [node("Reshape", ["x", "wrong"], ["y"], name="flat")],
            "Reshape flat cannot take inputs of the shapes [1,2,7,8], [2]: ",
        ),
        (
            lambda: [
                node("Gather", ["one", "far"], ["g"], name="out"),
                node("Add", ["x", "g"], ["y"]),
            ],
            "Gather out cannot take inputs of the shapes [1], []: ",
        ),
    ],
    ids=["If", "data-dependent", "size", "index"],
)
def test_what_cannot_be_static_is_refused_by_name(
    make: Callable[[], list[onnx.NodeProto]], found: str
) -> None:
    constants = {
        "wrong": np.array([3, -1]),
        "one": np.ones(1, np.float32),
        "far": np.array(5),
    }
    with pytest.raises(ModelError) as error:
        fold(build(make(), constants, image=IMAGE))
    assert error.value.found.startswith(found)
    assert error.value.expected
    assert error.value.remedy
