"""A RESHAPE that leaves more than one side open names all of them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.runtime.litert import run_tflite
from mmdet2tflite.tflite.flatbuffer import (
    constant,
    copy_tensor,
    new_constant,
    new_operator,
    read_model,
    write_model,
)
from mmdet2tflite.tflite.reshapes import name_every_side

LAYERS = {"maps": (np.ones((2, 3, 1, 1)), np.zeros(2))}


@pytest.mark.parametrize(
    ("given", "named"), [([-1, -1], [1, 48]), ([1, -1], [1, -1]), ([1, 48], [1, 48])]
)
def test_open_sides_are_named(
    given: Sequence[int], named: list[int], tmp_path: Path, write_tflite: Callable[..., Path]
) -> None:
    model = read_model(write_tflite(tmp_path / "m.tflite", (1, 3, 4, 6), LAYERS))
    model.signatureDefs = None
    graph = model.subgraphs[0]
    number = int(graph.outputs[0])
    row = copy_tensor(graph, number, "_row", [1, 48])
    options = schema.ReshapeOptionsT()
    options.newShape = np.array(given, np.int32)
    operands = [number, new_constant(model, "shape", np.array(given, np.int32))]
    reshape = schema.BuiltinOperator.RESHAPE
    graph.operators.append(new_operator(model, reshape, 1, options, operands, row))
    graph.outputs = np.array([row], np.int32)
    name_every_side(model)
    found = constant(model, graph.tensors[graph.operators[-1].inputs[1]])
    assert found is not None
    assert found.tolist() == named
    write_model(model, tmp_path / "named.tflite")
    image = np.ones((1, 1, 4, 6, 3), np.float32)
    (value,) = run_tflite(tmp_path / "named.tflite", {"image": image}, 1).values()
    np.testing.assert_array_equal(value[0], np.full((1, 48), 3, np.float32))
