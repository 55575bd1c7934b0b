"""TRANSPOSEs are moved and cancelled; the numbers stay, but for the order of a sum."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.runtime.litert import run_tflite
from mmdet2tflite.tflite.census import operators
from mmdet2tflite.tflite.flatbuffer import new_constant, new_operator, serialise
from mmdet2tflite.tflite.transposes import move_transposes

Builtin = schema.BuiltinOperator
CHANNELS_FIRST, CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


class Graph:
    """Builds a file operator by operator; a tensor is its number."""

    def __init__(self, *shape: int) -> None:
        self.model = schema.ModelT()
        self.model.version, self.model.operatorCodes = 3, []
        self.model.buffers = [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]
        self.input = self.tensor(shape, "x")
        self.graph.inputs = np.array([self.input], np.int32)

    def tensor(self, shape: Sequence[int], name: str = "") -> int:
        tensor = schema.TensorT()
        tensor.name = (name or f"t{len(self.graph.tensors)}").encode()
        tensor.shape, tensor.buffer = np.array(shape, np.int32), 0
        tensor.type = schema.TensorType.FLOAT32
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def shape(self, number: int) -> list[int]:
        return [int(side) for side in self.graph.tensors[number].shape]

    def constant(self, values: object, kind: type = np.int32) -> int:
        return new_constant(self.model, "c", np.array(values, kind))

    def add(
        self, builtin: int, options: object, inputs: Sequence[int], *shapes: Sequence[int]
    ) -> list[int]:
        outputs = [self.tensor(shape) for shape in shapes]
        operator = new_operator(self.model, builtin, 1, options, inputs, outputs[0])
        operator.outputs = np.array(outputs, np.int32)
        self.graph.operators.append(operator)
        return outputs

    def transpose(self, source: int, order: Sequence[int]) -> int:
        shape = [self.shape(source)[axis] for axis in order]
        operands = [source, self.constant(order)]
        return self.add(Builtin.TRANSPOSE, schema.TransposeOptionsT(), operands, shape)[0]

    def reshape(self, source: int, shape: Sequence[int]) -> int:
        options = schema.ReshapeOptionsT()
        options.newShape = np.array(shape, np.int32)
        return self.add(Builtin.RESHAPE, options, [source, self.constant(shape)], shape)[0]

    def neg(self, source: int) -> int:
        return self.add(Builtin.NEG, schema.NegOptionsT(), [source], self.shape(source))[0]

    def sum(self, first: int, second: int) -> int:
        shape = np.broadcast_shapes(self.shape(first), self.shape(second))
        return self.add(Builtin.ADD, schema.AddOptionsT(), [first, second], shape)[0]

    def concat(self, numbers: Sequence[int], axis: int) -> int:
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        shape = self.shape(numbers[0])
        shape[axis] = sum(self.shape(number)[axis] for number in numbers)
        return self.add(Builtin.CONCATENATION, options, numbers, shape)[0]

    def mean(self, source: int, axes: Sequence[int]) -> int:
        options = schema.ReducerOptionsT()
        options.keepDims = True
        shape = [1 if axis in axes else side for axis, side in enumerate(self.shape(source))]
        return self.add(Builtin.MEAN, options, [source, self.constant(axes)], shape)[0]

    def pad(self, source: int, pads: Sequence[Sequence[int]]) -> int:
        shape = [side + sum(pair) for side, pair in zip(self.shape(source), pads, strict=True)]
        operands = [source, self.constant(pads)]
        return self.add(Builtin.PAD, schema.PadOptionsT(), operands, shape)[0]

    def slice(self, source: int, begin: Sequence[int], size: Sequence[int]) -> int:
        operands = [source, self.constant(begin), self.constant(size)]
        return self.add(Builtin.SLICE, schema.SliceOptionsT(), operands, size)[0]

    def strided(self, source: int, axis: int) -> int:
        """Backwards, from the last but one, every second; by masks along the other axes."""
        shape = self.shape(source)
        begin, strides = [0] * len(shape), [1] * len(shape)
        begin[axis], strides[axis] = shape[axis] - 2, -2
        shape[axis] = len(range(begin[axis], -1, -2))
        options = schema.StridedSliceOptionsT()
        options.beginMask = sum(1 << other for other in range(len(shape)) if other != axis)
        options.endMask = (1 << len(shape)) - 1
        operands = [source, *map(self.constant, (begin, shape, strides))]
        return self.add(Builtin.STRIDED_SLICE, options, operands, shape)[0]

    def split(self, source: int, axis: int) -> list[int]:
        options = schema.SplitOptionsT()
        options.numSplits = 2
        shape = self.shape(source)
        shape[axis] //= 2
        return self.add(Builtin.SPLIT, options, [self.constant(axis), source], shape, shape)

    def reverse(self, source: int, axis: int) -> int:
        operands = [source, self.constant([axis])]
        options = schema.ReverseV2OptionsT()
        return self.add(Builtin.REVERSE_V2, options, operands, self.shape(source))[0]

    def gather(self, source: int, axis: int, indices: Sequence[int]) -> int:
        options = schema.GatherOptionsT()
        options.axis = axis
        shape = self.shape(source)
        shape[axis] = len(indices)
        operands = [source, self.constant(indices)]
        return self.add(Builtin.GATHER, options, operands, shape)[0]

    def product(self, source: int, matrix: np.ndarray, *, turned: bool) -> int:
        """``turned``: the matrix is stored transposed."""
        options = schema.BatchMatMulOptionsT()
        options.adjX, options.adjY = False, turned
        weights = self.constant(matrix.T if turned else matrix, np.float32)
        shape = [*self.shape(source)[:-1], matrix.shape[1]]
        return self.add(Builtin.BATCH_MATMUL, options, [source, weights], shape)[0]

    def end(self, *outputs: int) -> schema.ModelT:
        self.graph.outputs = np.array(outputs, np.int32)
        return self.model

    def run(self, folder: Path) -> list[np.ndarray]:
        path = folder / "m.tflite"
        path.write_bytes(serialise(self.model))
        image = np.random.default_rng(0).standard_normal((1, *self.shape(self.input)))
        found = run_tflite(path, {"x": image.astype(np.float32)}, 1)
        names = [self.graph.tensors[n].name.decode() for n in self.graph.outputs]
        return [found[name] for name in names]


def moved(graph: Graph, folder: Path, **options: bool) -> dict[str, int]:
    """What operators are left; the outputs must be what they were."""
    before = graph.run(folder)
    assert move_transposes(graph.model, **options)
    graph.graph = graph.model.subgraphs[0]
    for old, new in zip(before, graph.run(folder), strict=True):
        np.testing.assert_allclose(old, new, rtol=1e-6, atol=1e-6)
    return dict(operators(graph.model))


def test_opposite_transposes_meet_behind_operators_that_do_not_mind(tmp_path: Path) -> None:
    graph = Graph(1, 4, 6, 3)
    first = graph.neg(graph.transpose(graph.input, CHANNELS_FIRST))
    graph.end(graph.transpose(first, CHANNELS_LAST))
    assert moved(graph, tmp_path) == {"NEG": 1}


def test_a_constant_and_a_value_with_one_long_axis_follow(tmp_path: Path) -> None:
    graph = Graph(1, 4, 6, 3)
    maps = graph.transpose(graph.input, CHANNELS_FIRST)
    bias = graph.constant(np.arange(3.0).reshape(3, 1, 1), np.float32)
    weights = graph.mean(graph.input, (1, 2))  # 1 x 1 x 1 x 3: a RESHAPE will do
    first = graph.transpose(weights, CHANNELS_FIRST)
    total = graph.sum(graph.sum(maps, bias), first)
    graph.end(graph.transpose(total, CHANNELS_LAST))
    left = moved(graph, tmp_path)
    assert "TRANSPOSE" not in left


def test_a_transpose_that_moves_nothing_is_a_reshape(tmp_path: Path) -> None:
    graph = Graph(1, 4, 6, 3)
    graph.end(graph.transpose(graph.mean(graph.input, (1, 2)), CHANNELS_FIRST))
    assert moved(graph, tmp_path) == {"MEAN": 1, "RESHAPE": 1}


def test_two_outputs_of_one_map_cost_nothing_if_their_channels_may_be_last(tmp_path: Path) -> None:
    graph = Graph(1, 4, 6, 3)
    maps = graph.transpose(graph.input, CHANNELS_FIRST)
    graph.end(graph.neg(maps), graph.reverse(maps, 2))
    assert not move_transposes(graph.model)  # there were one, and would be two
    assert moved(graph, tmp_path, outputs_turned=False)["TRANSPOSE"] == 2  # both at the very end


def test_rows_of_predictions_need_no_transpose(tmp_path: Path) -> None:
    graph = Graph(1, 4, 6, 3)
    coarse = graph.slice(graph.input, (0, 0, 0, 0), (1, 2, 5, 3))
    rows = []
    for maps, count in ((graph.input, 24), (coarse, 10)):
        rows.append(graph.reshape(graph.transpose(maps, CHANNELS_FIRST), (1, 3, count)))
    graph.end(graph.transpose(graph.concat(rows, 2), (0, 2, 1)))
    assert moved(graph, tmp_path) == {"SLICE": 1, "RESHAPE": 2, "CONCATENATION": 1}


def test_nor_do_maps_that_become_tokens_and_maps_again(tmp_path: Path) -> None:
    graph = Graph(1, 4, 6, 3)
    columns = graph.reshape(graph.transpose(graph.input, CHANNELS_FIRST), (1, 3, 24))
    tokens = graph.neg(graph.transpose(columns, (0, 2, 1)))
    maps = graph.reshape(graph.transpose(tokens, (0, 2, 1)), (1, 3, 4, 6))
    graph.end(graph.transpose(maps, CHANNELS_LAST))
    assert moved(graph, tmp_path) == {"RESHAPE": 2, "NEG": 1}


@pytest.mark.parametrize("turned", [False, True])
def test_columns_are_mixed_where_they_are(tmp_path: Path, turned: bool) -> None:
    graph = Graph(1, 4, 6, 3)
    matrix = np.arange(30).reshape(6, 5) % 4 - 1.0
    maps = graph.product(graph.transpose(graph.input, CHANNELS_FIRST), matrix, turned=turned)
    graph.end(graph.transpose(maps, CHANNELS_LAST))
    assert moved(graph, tmp_path) == {"BATCH_MATMUL": 1}


def test_channels_are_not_mixed_where_they_are(tmp_path: Path) -> None:
    graph = Graph(1, 4, 6, 3)
    rows = graph.transpose(graph.input, (0, 2, 3, 1))  # x ends with the rows, the second axis here
    graph.end(graph.transpose(graph.product(rows, np.eye(4), turned=False), (0, 3, 1, 2)))
    assert not move_transposes(graph.model)


def test_where_it_would_not_get_better_nothing_is_touched(tmp_path: Path) -> None:
    graph = Graph(1, 4, 6, 3)
    maps = graph.transpose(graph.input, CHANNELS_FIRST)
    graph.end(graph.neg(maps), maps)
    content = serialise(graph.model)
    assert not move_transposes(graph.model)
    assert serialise(graph.model) == content


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_compute_what_they_did(seed: int, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    graph = Graph(1, 4, 6, 8)
    values = [graph.input]
    for _ in range(14):
        source = values[random.integers(len(values))]
        shape, axis = graph.shape(source), int(random.integers(1, 4))
        match random.integers(13):
            case 0 | 1 | 2:
                orders = [CHANNELS_FIRST, CHANNELS_LAST, (0, 2, 1, 3)]
                made = [graph.transpose(source, orders[random.integers(3)])]
            case 3:
                made = [graph.neg(source)]
            case 4:
                alike = [value for value in values if graph.shape(value) == shape]
                made = [graph.sum(source, alike[random.integers(len(alike))])]
            case 5:
                made = [graph.concat([source, graph.neg(source)], axis)]
            case 6:
                scale = graph.constant(random.standard_normal(shape[axis:]), np.float32)
                made = [graph.sum(source, scale), graph.sum(source, graph.mean(source, (axis,)))]
            case 7:
                pads = [(0, 0)] + [(int(a), int(b)) for a, b in random.integers(0, 2, (3, 2))]
                made = [graph.pad(source, pads)]
            case 8:
                size = [shape[0], *(max(1, side - 1) for side in shape[1:])]
                begin = [side - kept for side, kept in zip(shape, size, strict=True)]
                made = [graph.slice(source, begin, size)]
            case 9:
                made = graph.split(source, axis) if shape[axis] % 2 == 0 else []
                made += [graph.strided(source, axis)] if shape[axis] > 1 else []
            case 10 | 11:
                rows = graph.reshape(source, (1, shape[1], shape[2] * shape[3]))
                turned = graph.transpose(rows, (0, 2, 1))
                back = graph.reshape(turned, (1, shape[2], shape[3], shape[1]))
                made = [graph.reshape(rows, shape), back, graph.transpose(back, CHANNELS_FIRST)]
            case _:
                indices = random.integers(0, shape[axis], 3).tolist()
                made = [graph.reverse(source, axis), graph.gather(source, axis, indices)]
        values += made
    graph.end(*dict.fromkeys([values[-1], *random.choice(values[1:], 3).tolist()]))
    before = graph.run(tmp_path)
    count = operators(graph.model)["TRANSPOSE"]
    if move_transposes(graph.model):
        assert operators(graph.model)["TRANSPOSE"] < count
    graph.graph = graph.model.subgraphs[0]
    for old, new in zip(before, graph.run(tmp_path), strict=True):
        np.testing.assert_allclose(old, new, rtol=1e-6, atol=1e-6)
