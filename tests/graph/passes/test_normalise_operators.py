"""Is what ONNX lets one write in several ways written in one, and does it compute the same?"""

import numpy as np
import pytest

from mmdet2tflite.graph.edit import constant
from mmdet2tflite.graph.passes.normalise_operators import NormaliseOperators
from tests.graph.passes.tiny import Done, apply, assert_same, build, integers, node


def operands(done: Done, op: str) -> list[np.ndarray]:
    """The constant ones."""
    found = (constant(value) for value in done.one(op).inputs)
    return [array for array in found if array is not None]


# The input is 1 x 2 x 7 x 8.
@pytest.mark.parametrize("op", ["Add", "Div", "Max", "Min", "Mul", "Pow", "Sub"])
@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize(
    ("given", "written"),
    [
        ((8,), (1, 1, 1, 8)),
        ((7, 8), (1, 1, 7, 8)),
        ((7, 1), (1, 1, 7, 1)),
        ((2, 1, 1), (1, 2, 1, 1)),
    ],
)
def test_a_constant_operand_gets_the_rank_of_the_map(
    op: str, is_first: bool, given: tuple[int, ...], written: tuple[int, ...]
) -> None:
    constants = {"c": np.abs(integers(*given))}
    inputs = ["c", "a"] if is_first else ["a", "c"]
    model = build([node("Abs", ["x"], ["a"]), node(op, inputs, ["y"], name="n")], constants)
    done = apply(NormaliseOperators, model)
    (array,) = operands(done, op)
    assert array.shape == written
    assert done.sentences == [f"wrote the operand c of {op} n as {written}"]
    assert_same(model, done.model, relative=1e-6)


@pytest.mark.parametrize("op_type", ["Greater", "Equal", "LessOrEqual"])
def test_so_does_a_constant_that_is_compared_or_chosen(op_type: str) -> None:
    constants = {"c": integers(2, 1, 1), "d": integers(2, 1, 1)}
    nodes = [node(op_type, ["x", "c"], ["b"]), node("Where", ["b", "x", "d"], ["y"])]
    model = build(nodes, constants, image=(1, 2, 4, 8), opset=16)
    done = apply(NormaliseOperators, model)
    assert operands(done, op_type)[0].shape == (1, 2, 1, 1)
    assert operands(done, "Where")[0].shape == (1, 2, 1, 1)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (1, 2, 1, 1), (1, 1, 7, 8)])
def test_a_constant_of_one_element_or_of_full_rank_stays(shape: tuple[int, ...]) -> None:
    model = build([node("Mul", ["x", "c"], ["y"])], {"c": integers(*shape)})
    done = apply(NormaliseOperators, model)
    assert operands(done, "Mul")[0].shape == shape
    assert done.sentences == []


def test_a_constant_of_two_ranks_is_written_for_each_reader() -> None:
    nodes = [
        node("Mul", ["x", "c"], ["y"]),
        node("ReduceSum", ["x", "axes"], ["sums"], keepdims=0),
        node("Add", ["sums", "c"], ["z"]),
    ]
    constants = {"c": integers(8), "axes": np.array([1])}
    model = build(nodes, constants, outputs={"y": 4, "z": 3})
    done = apply(NormaliseOperators, model)
    assert operands(done, "Mul")[0].shape == (1, 1, 1, 8)
    assert operands(done, "Add")[0].shape == (1, 1, 8)
    assert_same(model, done.model)


@pytest.mark.parametrize(
    ("axes", "pads", "written"),
    [
        ([2, 3], [1, 2, 3, 4], [0, 0, 1, 2, 0, 0, 3, 4]),
        ([-1], [5, 6], [0, 0, 0, 5, 0, 0, 0, 6]),
        ([3, 1], [1, 2, -3, 4], [0, 2, 0, 1, 0, 4, 0, -3]),
    ],
)
@pytest.mark.parametrize("value", ["", "one"])
def test_a_pad_names_the_pads_of_every_axis(
    axes: list[int], pads: list[int], written: list[int], value: str
) -> None:
    constants = {"axes": np.array(axes), "pads": np.array(pads), "one": np.float32(1)}
    pad = node("Pad", ["x", "pads", value, "axes"], ["y"], name="pad")
    model = build([pad], constants, opset=18)
    done = apply(NormaliseOperators, model)
    assert operands(done, "Pad")[0].tolist() == written
    assert len(done.one("Pad").inputs) == 3
    assert done.sentences == ["wrote Pad pad without axes"]
    assert_same(model, done.model)


def test_a_pad_without_axes_stays() -> None:
    pads = {"pads": np.array([0, 0, 1, 0, 0, 0, 0, 2])}
    done = apply(NormaliseOperators, build([node("Pad", ["x", "pads"], ["y"])], pads))
    assert done.sentences == []


@pytest.mark.parametrize(
    ("axis", "parts", "sizes"), [(2, 3, [3, 3, 1]), (3, 3, [3, 3, 2]), (-1, 2, [4, 4])]
)
def test_a_split_names_the_sizes_of_its_parts(axis: int, parts: int, sizes: list[int]) -> None:
    names = [f"y{number}" for number in range(parts)]
    split = node("Split", ["x"], names, name="s", axis=axis, num_outputs=parts)
    model = build([split], outputs=dict.fromkeys(names, 4), opset=18)
    done = apply(NormaliseOperators, model)
    assert done.sentences == [f"wrote Split s with the sizes {sizes}"]
    assert [array.tolist() for array in operands(done, "Split")] == [sizes]
    assert "num_outputs" not in done.one("Split").attributes
    assert_same(model, done.model)


@pytest.mark.parametrize(
    ("target", "written"),
    [([0, 0, -1], [1, 2, 56]), ([0, -1, 8], [1, 14, 8]), ([0, 0, 0, 8], [1, 2, 7, 8])],
)
def test_a_reshape_names_the_sides_that_it_keeps(target: list[int], written: list[int]) -> None:
    reshape = node("Reshape", ["x", "t"], ["y"], name="r")
    model = build([reshape], {"t": np.array(target)}, outputs={"y": len(target)})
    done = apply(NormaliseOperators, model)
    assert [array.tolist() for array in operands(done, "Reshape")] == [written]
    assert done.sentences == [f"wrote the shape of Reshape r as {written}"]
    assert_same(model, done.model)


def test_a_reshape_without_a_zero_stays() -> None:
    model = build([node("Reshape", ["x", "t"], ["y"])], {"t": np.array([1, -1])}, outputs={"y": 2})
    assert apply(NormaliseOperators, model).sentences == []


@pytest.mark.parametrize(
    ("axis", "written"), [(1, [1, 112]), (0, [1, 112]), (-1, [14, 8]), (3, [14, 8]), (4, [112, 1])]
)
def test_a_flatten_is_a_reshape(axis: int, written: list[int]) -> None:
    model = build([node("Flatten", ["x"], ["y"], name="f", axis=axis)], outputs={"y": 2})
    done = apply(NormaliseOperators, model)
    assert done.ops == ["Reshape"]
    assert [array.tolist() for array in operands(done, "Reshape")] == [written]
    assert done.sentences == [f"wrote Flatten f as a Reshape to {written}"]
    assert_same(model, done.model)


@pytest.mark.parametrize(
    ("low", "high", "ops"),
    [
        (1e-12, None, ["Max"]),
        (None, 6 + 5e-7, ["Min"]),
        (-1e-7, 6, ["Max", "Min"]),
        (0, 6, ["Clip"]),
        (0, None, ["Clip"]),
        (-1, 1, ["Clip"]),
        (1e-5, None, ["Clip"]),
    ],
)
def test_a_clip_at_a_number_that_is_nearly_a_relus_is_none(
    low: float | None, high: float | None, ops: list[str]
) -> None:
    given = {"low": low, "high": high}
    constants = {name: np.float32(each) for name, each in given.items() if each is not None}
    names = ["x", *(name if each is not None else "" for name, each in given.items())]
    model = build([node("Clip", names, ["y"], name="c")], constants)
    done = apply(NormaliseOperators, model)
    assert done.ops == ops
    assert done.sentences == ([] if ops == ["Clip"] else ["wrote Clip c as maxima and minima"])
    assert_same(model, done.model)


@pytest.mark.parametrize(
    ("number", "order"), [(1e-12, ["c", "x"]), (0, ["x", "c"]), (2, ["x", "c"])]
)
def test_such_a_number_is_the_first_operand_of_a_max(number: float, order: list[str]) -> None:
    model = build([node("Max", ["x", "c"], ["y"], name="m")], {"c": np.float32(number)})
    done = apply(NormaliseOperators, model)
    assert [value.name for value in done.one("Max").inputs] == order
    assert_same(model, done.model)
