"""Markers are taken away again, and outputs get the order of axes that they must have."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.errors import ModelError
from mmdet2tflite.runtime.litert import run_tflite
from mmdet2tflite.tflite.census import operators
from mmdet2tflite.tflite.flatbuffer import (
    copy_tensor,
    new_constant,
    new_operator,
    read_model,
    write_model,
)
from mmdet2tflite.tflite.outputs import (
    cast_output,
    make_output_scalar,
    remove_marker,
    transpose_output,
)

SHAPE = (1, 3, 4, 6)
LAYERS = {"maps": (np.arange(6.0).reshape(2, 3, 1, 1) - 2, np.array([0.5, -1]))}
Builtin = schema.BuiltinOperator
IMAGE = np.random.default_rng(0).standard_normal((1, 1, 4, 6, 3)).astype(np.float32)


@pytest.fixture
def model(tmp_path: Path, write_tflite: Callable[..., Path]) -> schema.ModelT:
    """One convolution: 1 x 4 x 6 x 3 → 1 x 4 x 6 x 2."""
    return read_model(write_tflite(tmp_path / "m.tflite", SHAPE, LAYERS))


def append(
    model: schema.ModelT, builtin: int, options: object, source: int, shape: Sequence[int]
) -> int:
    """One more operator; the tensor that it writes."""
    graph = model.subgraphs[0]
    target = copy_tensor(graph, source, "_next", shape)
    graph.operators.append(new_operator(model, builtin, 1, options, [source], target))
    return target


def marked(model: schema.ModelT, source: int) -> int:
    shape = model.subgraphs[0].tensors[source].shape
    return append(model, Builtin.NEG, schema.NegOptionsT(), source, list(shape))


def transposed(model: schema.ModelT, source: int, order: Sequence[int]) -> int:
    shape = [int(model.subgraphs[0].tensors[source].shape[axis]) for axis in order]
    target = append(model, Builtin.TRANSPOSE, schema.TransposeOptionsT(), source, shape)
    axes = new_constant(model, "order", np.array(order, np.int32))
    model.subgraphs[0].operators[-1].inputs = np.array([source, axes], np.int32)
    return target


def run(model: schema.ModelT, folder: Path) -> list[np.ndarray]:
    """The outputs in the file's order."""
    model.signatureDefs = None
    path = folder / "out.tflite"
    write_model(model, path)
    graph = model.subgraphs[0]
    found = run_tflite(path, {"image": IMAGE}, 1)
    return [found[graph.tensors[number].name.decode()][0] for number in graph.outputs]


def expected() -> np.ndarray:
    weights, bias = LAYERS["maps"]
    return np.einsum("nhwc,oc->nhwo", IMAGE[0], weights[:, :, 0, 0]) + bias


def test_without_its_marker_an_output_is_what_the_marker_read(
    model: schema.ModelT, tmp_path: Path
) -> None:
    graph = model.subgraphs[0]
    graph.outputs = np.array([marked(model, int(graph.outputs[0]))], np.int32)
    remove_marker(model, 0)
    assert operators(model) == {"CONV_2D": 1}
    np.testing.assert_allclose(run(model, tmp_path)[0], expected(), rtol=1e-5)


def test_behind_a_transpose_the_marker_goes_and_the_transpose_stays(
    model: schema.ModelT, tmp_path: Path
) -> None:
    graph = model.subgraphs[0]
    end = transposed(model, marked(model, int(graph.outputs[0])), (0, 3, 1, 2))
    graph.outputs = np.array([end], np.int32)
    remove_marker(model, 0)
    assert operators(model) == {"CONV_2D": 1, "TRANSPOSE": 1}
    (found,) = run(model, tmp_path)
    np.testing.assert_allclose(found, expected().transpose(0, 3, 1, 2), rtol=1e-5)


def test_two_outputs_that_are_one_value_become_two_tensors(
    model: schema.ModelT, tmp_path: Path
) -> None:
    graph = model.subgraphs[0]
    value = int(graph.outputs[0])
    graph.outputs = np.array([marked(model, value), marked(model, value)], np.int32)
    remove_marker(model, 0)
    remove_marker(model, 1)
    assert operators(model) == {"CONV_2D": 1, "RESHAPE": 1}
    first, second = run(model, tmp_path)
    np.testing.assert_allclose(first, expected(), rtol=1e-5)
    np.testing.assert_array_equal(first, second)


def test_an_output_without_its_marker_is_refused(model: schema.ModelT) -> None:
    with pytest.raises(ModelError, match="the converter changed how the output maps is computed"):
        remove_marker(model, 0)


@pytest.mark.parametrize("order", [(0, 3, 1, 2), (0, 2, 1, 3), (3, 0, 2, 1)])
def test_an_output_is_transposed(
    order: tuple[int, ...], model: schema.ModelT, tmp_path: Path
) -> None:
    transpose_output(model, 0, order)
    assert operators(model) == {"CONV_2D": 1, "TRANSPOSE": 1}
    (found,) = run(model, tmp_path)
    np.testing.assert_allclose(found, expected().transpose(order), rtol=1e-5)


def test_two_transposes_become_one_and_two_opposite_ones_none(
    model: schema.ModelT, tmp_path: Path
) -> None:
    graph = model.subgraphs[0]
    end = transposed(model, int(graph.outputs[0]), (0, 3, 1, 2))
    graph.outputs = np.array([end], np.int32)
    transpose_output(model, 0, (0, 2, 1, 3))
    assert operators(model) == {"CONV_2D": 1, "TRANSPOSE": 1}
    (found,) = run(model, tmp_path)
    np.testing.assert_allclose(found, expected().transpose(0, 1, 3, 2), rtol=1e-5)
    transpose_output(model, 0, (0, 1, 3, 2))
    assert operators(model) == {"CONV_2D": 1}
    np.testing.assert_allclose(run(model, tmp_path)[0], expected(), rtol=1e-5)


@pytest.mark.parametrize("kind", ["INT32", "INT64"])
def test_an_output_gets_the_type_of_whole_numbers_that_it_must_have(
    kind: str, model: schema.ModelT, tmp_path: Path
) -> None:
    plain = run(model, tmp_path)[0]
    cast_output(model, 0, getattr(schema.TensorType, kind))
    (found,) = run(model, tmp_path)
    assert found.dtype == kind.lower()
    np.testing.assert_array_equal(found, np.trunc(plain))


def test_an_output_of_one_number_gets_rank_0(model: schema.ModelT, tmp_path: Path) -> None:
    plain = run(model, tmp_path)[0]
    everything = new_constant(model, "axes", np.arange(4, dtype=np.int32))
    graph = model.subgraphs[0]
    total = append(model, Builtin.SUM, schema.ReducerOptionsT(), int(graph.outputs[0]), [1])
    graph.operators[-1].inputs = np.array([graph.outputs[0], everything], np.int32)
    one = append(model, Builtin.RESHAPE, schema.ReshapeOptionsT(), total, [1])
    shape = new_constant(model, "shape", np.ones(1, np.int32))
    graph.operators[-1].inputs = np.array([total, shape], np.int32)
    graph.outputs = np.array([one], np.int32)
    make_output_scalar(model, 0)
    (found,) = run(model, tmp_path)
    assert found.shape == ()
    np.testing.assert_allclose(found, plain.sum(), rtol=1e-5)
