"""Do loops that constants decide become their bodies, and compute what ONNX Runtime computes?"""

from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.passes import control_flow
from mmdet2tflite.graph.passes.constants import FoldConstants
from mmdet2tflite.graph.passes.naming import NameNodes
from tests.graph.passes.tiny import Done, assert_same, build, node

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
ROUNDING = 1e-6


def fold(model: onnx.ModelProto) -> Done:
    converted = ir.from_proto(model)
    NameNodes()(converted)
    step = FoldConstants()
    step(converted)
    NameNodes()(converted)
    return Done(converted, step.sentences)


def graph(
    nodes: Sequence[onnx.NodeProto], inputs: Sequence[tuple], outputs: Sequence[tuple], **constants
) -> onnx.GraphProto:
    """Inputs and outputs: name and type."""
    values = [
        [
            helper.make_tensor_value_info(name, kind, None if kind == FLOAT else [])
            for name, kind in each
        ]
        for each in (inputs, outputs)
    ]
    arrays = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return helper.make_graph(nodes, "body", *values, arrays)


def scalar(name: str, value: object, dtype: type = np.int64) -> onnx.NodeProto:
    return node("Constant", [], [name], value=numpy_helper.from_array(np.array(value, dtype)))


HEAD, BODY_INPUTS = [("i", INT64), ("go", BOOL)], [("v", FLOAT)]


def adding(*, stacks: bool = False, until: int | None = None) -> onnx.GraphProto:
    """v ← 2·v + i + x, with x of the outer graph; gives 3·v to be stacked; on while i < until."""
    nodes = [
        node("Cast", ["i"], ["f"], to=FLOAT),
        node("Mul", ["v", "two"], ["twice"]),
        node("Add", ["twice", "f"], ["more"]),
        node("Add", ["more", "x"], ["w"]),
        node("Mul", ["v", "three"], ["s"]),
        node("Identity", ["go"], ["on"]) if until is None else node("Less", ["i", "last"], ["on"]),
    ]
    outputs = [("on", BOOL), ("w", FLOAT), *([("s", FLOAT)] if stacks else [])]
    constants = {"two": np.float32(2), "three": np.float32(3), "last": np.int64(until or 0)}
    return graph(nodes, HEAD + BODY_INPUTS, outputs, **constants)


@pytest.mark.parametrize("trips", [0, 1, 4])
def test_a_loop_is_its_body_as_often_as_it_says(trips: int) -> None:
    model = build(
        [
            scalar("n", trips),
            scalar("yes", True, np.bool_),
            node("Loop", ["n", "yes", "x"], ["l"], name="l", body=adding()),
            node("Relu", ["l"], ["y"]),
        ]
    )
    done = fold(model)
    assert "Loop" not in done.ops
    assert done.ops.count("Add") == 2 * trips
    assert f"unrolled Loop l: {trips} times" in done.sentences
    assert_same(model, done.model, relative=ROUNDING)


@pytest.mark.parametrize(
    ("trips", "until", "times"), [(9, 2, 3), (3, 7, 3), (None, 5, 6), (2**63 - 1, 5, 6)]
)
def test_a_loop_ends_where_its_condition_does(trips: int | None, until: int, times: int) -> None:
    # Iteration i is followed by another while i < until: the last is that of i = until.
    model = build(
        [
            scalar("n", trips or 0),
            scalar("yes", True, np.bool_),
            node(
                "Loop",
                ["n" if trips else "", "yes", "x"],
                ["y"],
                name="l",
                body=adding(until=until),
            ),
        ]
    )
    done = fold(model)
    assert f"unrolled Loop l: {times} times" in done.sentences
    assert_same(model, done.model, relative=ROUNDING)


def test_what_iterations_give_is_stacked() -> None:
    model = build(
        [
            scalar("n", 3),
            node("Loop", ["n", "", "x"], ["w", "y"], name="l", body=adding(stacks=True)),
        ],
        outputs={"y": 5, "w": 4},
    )
    done = fold(model)
    assert done.ops.count("Concat") == 1
    assert_same(model, done.model, relative=ROUNDING)


def test_loops_inside_loops_and_branches() -> None:
    taken = graph([node("Add", ["more", "x"], ["q"])], [], [("q", FLOAT)])
    other = graph([node("Neg", ["more"], ["q"])], [], [("q", FLOAT)])
    outer = graph(
        [
            scalar("pair", 2),
            node("Loop", ["pair", "", "v"], ["more"], name="inner", body=adding()),
            node("Less", ["i", "pair"], ["which"]),
            node("If", ["which"], ["w"], name="if", then_branch=taken, else_branch=other),
            node("Identity", ["go"], ["on"]),
        ],
        HEAD + BODY_INPUTS,
        [("on", BOOL), ("w", FLOAT)],
    )
    nodes = [scalar("n", 3), node("Loop", ["n", "", "x"], ["y"], name="outer", body=outer)]
    model = build(nodes)
    done = fold(model)
    assert done.ops.count("Neg") == 1
    assert not {"Loop", "If"} & set(done.ops)
    assert_same(model, done.model, relative=ROUNDING)


def test_what_a_body_hands_on_untouched() -> None:
    body = graph(
        [node("Identity", ["go"], ["on"])],
        [*HEAD, ("v", FLOAT), ("u", FLOAT)],
        [("on", BOOL), ("u", FLOAT), ("v", FLOAT)],
    )
    nodes = [
        node("Neg", ["x"], ["minus"]),
        scalar("n", 3),
        node("Loop", ["n", "", "x", "minus"], ["y", "z"], name="l", body=body),
    ]
    model = build(nodes, outputs={"y": 4, "z": 4})
    assert_same(model, fold(model).model)


@pytest.mark.parametrize("backwards", [0, 1])
@pytest.mark.parametrize("axis", [0, 2, 3])
def test_a_scan_is_its_body_for_every_element(axis: int, backwards: int) -> None:
    body = graph(
        [node("Add", ["state", "row"], ["sum"]), node("Neg", ["sum"], ["minus"])],
        [("state", FLOAT), ("row", FLOAT)],
        [("sum", FLOAT), ("minus", FLOAT)],
    )
    how = {
        "num_scan_inputs": 1,
        "scan_input_axes": [axis],
        "scan_input_directions": [backwards],
        "scan_output_axes": [1],
        "scan_output_directions": [1 - backwards],
    }
    nodes = [
        node("ReduceSum", ["x", "which"], ["first"], keepdims=0),
        node("Scan", ["first", "x"], ["z", "y"], name="s", body=body, **how),
    ]
    model = build(nodes, {"which": np.array([axis])}, outputs={"y": 4, "z": 3})
    done = fold(model)
    assert "Scan" not in done.ops
    assert done.sentences[-1] == f"unrolled Scan s: {(1, 2, 7, 8)[axis]} times"
    assert_same(model, done.model)


def test_a_condition_that_the_map_decides_is_refused_by_name() -> None:
    nodes = [
        node("ReduceMax", ["v"], ["most"], keepdims=0),
        node("Cast", ["most"], ["on"], to=BOOL),
        node("Relu", ["v"], ["w"]),
    ]
    body = graph(nodes, HEAD + BODY_INPUTS, [("on", BOOL), ("w", FLOAT)])
    model = build([scalar("n", 3), node("Loop", ["n", "", "x"], ["y"], name="l", body=body)])
    with pytest.raises(ModelError) as error:
        fold(model)
    assert error.value.found == "control flow: Loop l"
    assert error.value.expected.startswith("a condition that is constant")


def test_a_number_of_iterations_that_the_map_decides_is_refused() -> None:
    nodes = [
        node("ReduceMax", ["x"], ["most"], keepdims=0),
        node("Cast", ["most"], ["n"], to=INT64),
        node("Loop", ["n", "", "x"], ["y"], name="l", body=adding()),
    ]
    with pytest.raises(ModelError, match="Loop l"):
        fold(build(nodes))


def test_more_than_fits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_flow, "MOST_UNROLLED", 50)
    nodes = [scalar("n", 2**40), node("Loop", ["n", "", "x"], ["y"], name="l", body=adding())]
    with pytest.raises(ModelError, match="at most 50 operators"):
        fold(build(nodes))
