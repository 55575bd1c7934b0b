"""Inputs go in as they must: maps with their channels last, scalars with no axis."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.runtime.litert import run_tflite
from mmdet2tflite.tflite.flatbuffer import copy_tensor, new_operator, read_model, write_model
from mmdet2tflite.tflite.inputs import make_input_scalar, turn_input

SHAPE = (1, 3, 4, 6)
LAYERS = {"maps": (np.ones((2, 3, 1, 1)), np.zeros(2))}


def test_every_reader_gets_the_axes_that_it_had(
    tmp_path: Path, write_tflite: Callable[..., Path]
) -> None:
    model = read_model(write_tflite(tmp_path / "m.tflite", SHAPE, LAYERS))
    model.signatureDefs = None
    graph = model.subgraphs[0]
    number = int(graph.inputs[0])
    results = []
    graph.operators = []
    for builtin, options in (
        (schema.BuiltinOperator.NEG, schema.NegOptionsT()),
        (schema.BuiltinOperator.ABS, schema.AbsOptionsT()),
    ):
        results.append(copy_tensor(graph, number, "_result", [1, 4, 6, 3]))
        operator = new_operator(model, builtin, 1, options, [number], results[-1])
        graph.operators.append(operator)
    graph.outputs = np.array(results, np.int32)
    name = graph.tensors[number].name.decode()
    for _ in range(2):  # once is enough
        turn_input(model, name, (1, 4, 6, 3))
    assert [int(side) for side in graph.tensors[number].shape] == [1, 6, 3, 4]
    write_model(model, tmp_path / "turned.tflite")
    image = np.random.default_rng(0).standard_normal((1, 4, 6, 3)).astype(np.float32)
    given = np.moveaxis(image, 1, -1)[None]
    negative, positive = run_tflite(tmp_path / "turned.tflite", {"image": given}, 1).values()
    np.testing.assert_array_equal(negative[0], -image)
    np.testing.assert_array_equal(positive[0], np.abs(image))


def test_a_scalar_goes_in_with_rank_0(tmp_path: Path, write_tflite: Callable[..., Path]) -> None:
    model = read_model(write_tflite(tmp_path / "m.tflite", SHAPE, LAYERS))
    model.signatureDefs = None
    graph = model.subgraphs[0]
    number = int(graph.inputs[0])
    graph.tensors[number].shape = np.ones(1, np.int32)
    result = copy_tensor(graph, number, "_result", [1])
    negative = (schema.BuiltinOperator.NEG, 1, schema.NegOptionsT(), [number], result)
    graph.operators = [new_operator(model, *negative)]
    graph.outputs = np.array([result], np.int32)
    name = graph.tensors[number].name.decode()
    for _ in range(2):  # once is enough
        make_input_scalar(model, name)
    assert len(graph.tensors[number].shape) == 0
    assert len(graph.operators) == 2
    write_model(model, tmp_path / "scalar.tflite")
    samples = {name: np.full(1, 2.5, np.float32)}
    (found,) = run_tflite(tmp_path / "scalar.tflite", samples, 1).values()
    np.testing.assert_array_equal(found, [[-2.5]])
