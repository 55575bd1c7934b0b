"""A tensor that the converter forgot to compute is computed from its twin, or stays lost."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.runtime.litert import run_tflite
from mmdet2tflite.tflite.flatbuffer import copy_tensor, new_operator, read_model, write_model
from mmdet2tflite.tflite.lost_tensors import BRIDGE, INPUT, LAST, restore_lost

SHAPE = (1, 3, 4, 6)
LAYERS = {"maps": (np.arange(6.0).reshape(2, 3, 1, 1) - 2, np.array([0.5, -1]))}
IMAGE = np.random.default_rng(0).standard_normal((1, 1, 4, 6, 3)).astype(np.float32)


@pytest.fixture
def model(tmp_path: Path, write_tflite: Callable[..., Path]) -> schema.ModelT:
    """One convolution: 1 x 4 x 6 x 3 → 1 x 4 x 6 x 2."""
    model = read_model(write_tflite(tmp_path / "m.tflite", SHAPE, LAYERS))
    model.signatureDefs = None
    return model


def read_lost(model: schema.ModelT, like: int, name: str, shape: list[int]) -> int:
    """A tensor that nothing computes, and an operator that reads it; its result is an output."""
    graph = model.subgraphs[0]
    lost = copy_tensor(graph, like, "", shape)
    graph.tensors[lost].name = name.encode()
    result = copy_tensor(graph, like, "_negative", shape)
    options = schema.NegOptionsT()
    graph.operators.append(
        new_operator(model, schema.BuiltinOperator.NEG, 1, options, [lost], result)
    )
    graph.outputs = np.array([*graph.outputs, result], np.int32)
    return lost


def run(model: schema.ModelT, folder: Path) -> list[np.ndarray]:
    path = folder / "out.tflite"
    write_model(model, path)
    return list(run_tflite(path, {"image": IMAGE}, 1).values())


def test_a_map_comes_back_from_the_one_with_its_channels_last(
    model: schema.ModelT, tmp_path: Path
) -> None:
    graph = model.subgraphs[0]
    number = int(graph.outputs[0])
    graph.tensors[number].name = f"Conv_2{LAST}".encode()
    read_lost(model, number, "v6", [1, 2, 4, 6])
    assert restore_lost(model) == 1
    maps, negative = run(model, tmp_path)
    np.testing.assert_array_equal(negative, -np.moveaxis(maps, -1, 2))
    assert restore_lost(model) == 0


def test_an_input_with_its_channels_first_comes_back_from_the_input(
    model: schema.ModelT, tmp_path: Path
) -> None:
    graph = model.subgraphs[0]
    number = int(graph.inputs[0])
    name = graph.tensors[number].name.decode()
    read_lost(model, number, name + INPUT, [1, 3, 4, 6])
    assert restore_lost(model) == 1
    np.testing.assert_array_equal(run(model, tmp_path)[1], -np.moveaxis(IMAGE, -1, 2))


def test_a_map_comes_back_from_the_one_that_is_named_after_it(
    model: schema.ModelT, tmp_path: Path
) -> None:
    graph = model.subgraphs[0]
    number = int(graph.outputs[0])
    graph.tensors[number].name = f"v6{BRIDGE}".encode()
    other = copy_tensor(graph, number, "", [1, 4, 6, 2])  # of the same sides, and a usual twin
    graph.tensors[other].name = f"Conv_2{LAST}".encode()
    options = schema.NegOptionsT()
    graph.operators.append(
        new_operator(model, schema.BuiltinOperator.NEG, 1, options, [number], other)
    )
    read_lost(model, number, "v6", [1, 2, 4, 6])
    assert restore_lost(model) == 1
    maps, negative = run(model, tmp_path)
    np.testing.assert_array_equal(negative, -np.moveaxis(maps, -1, 2))


@pytest.mark.parametrize(
    ("names", "shape"),
    [
        ([], [1, 2, 4, 6]),  # nothing that is named as a twin
        ([f"a{LAST}", f"b{LAST}"], [1, 2, 4, 6]),  # either may be meant
        ([f"a{LAST}"], [1, 2, 6, 4]),  # other sides
    ],
)
def test_without_a_single_twin_it_stays_lost(
    names: list[str], shape: list[int], model: schema.ModelT
) -> None:
    graph = model.subgraphs[0]
    number = int(graph.outputs[0])
    for name in names:
        source = number
        number = copy_tensor(graph, source, "", list(graph.tensors[source].shape))
        graph.tensors[number].name = name.encode()
        options = schema.NegOptionsT()
        graph.operators.append(
            new_operator(model, schema.BuiltinOperator.NEG, 1, options, [source], number)
        )
    read_lost(model, number, "v6", shape)
    assert restore_lost(model) == 0
