"""Are constants what numpy says, whichever implementation computes them?"""

import numpy as np
import onnx_ir as ir
import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph import evaluation
from mmdet2tflite.graph.evaluation import QUICK_SIZE, evaluate


@pytest.fixture
def no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference implementation, which takes minutes for what follows, is not there."""

    def refuse(*arguments: object) -> None:
        raise AssertionError("computed in Python, element by element")

    monkeypatch.setattr(evaluation, "ReferenceEvaluator", refuse)


def node(op_type: str, *arrays: np.ndarray | None, **attributes: object) -> ir.Node:
    """An operator on constants."""
    values = [
        None
        if array is None
        else ir.Value(
            name=f"v{index}",
            const_value=ir.tensor(array),
            shape=ir.Shape(array.shape),
            type=ir.TensorType(ir.tensor(array).dtype),
        )
        for index, array in enumerate(arrays)
    ]
    made = ir.node(op_type, values, attributes)  # type: ignore[arg-type]
    made.outputs[0].name = "y"
    return made


@pytest.mark.parametrize("rows", [3, QUICK_SIZE])
def test_small_and_large_constants_are_computed_alike(rows: int) -> None:
    table = np.arange(rows * 4, dtype=np.float32).reshape(rows, 4)
    picked = np.array([rows - 1, 0], np.int64)
    (found,) = evaluate(node("Gather", table, picked), 13)
    np.testing.assert_array_equal(found, table[[rows - 1, 0]])


@pytest.mark.usefixtures("no_python")
def test_a_position_embedding_is_not_resized_in_python() -> None:
    embedding = np.random.default_rng(0).random((1, 256, 20, 20), np.float32)
    sizes = np.array([1, 256, 40, 60], np.int64)
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    (found,) = evaluate(node("Resize", embedding, None, None, sizes, **how), 13)
    np.testing.assert_array_equal(found, embedding.repeat(2, 2).repeat(3, 3))


@pytest.mark.usefixtures("no_python")
def test_many_elements_are_not_scattered_in_python() -> None:
    zeros, ones = np.zeros((1, 500_000), np.float32), np.ones((1, 500_000), np.float32)
    indices = np.arange(500_000, dtype=np.int64)[None]
    (found,) = evaluate(node("ScatterElements", zeros, indices, ones, axis=1), 18)
    assert found.all()


def test_what_onnxruntime_has_no_kernel_for_is_computed_by_the_reference_implementation() -> None:
    column = np.linspace(0, 1, 2 * QUICK_SIZE)
    (found,) = evaluate(node("Erf", column), 13)
    assert found.dtype == np.float64
    assert found[-1] == pytest.approx(0.8427007929497149)


def test_a_contradiction_of_large_constants_is_refused_by_name() -> None:
    far = np.full(QUICK_SIZE + 1, 9, np.int64)
    with pytest.raises(ModelError, match="Gather"):
        evaluate(node("Gather", np.ones(3, np.float32), far), 13)
