"""Noise for any input."""

import numpy as np
import onnx_ir as ir
import pytest

from mmdet2tflite.convert.samples import noise


@pytest.mark.parametrize("shape", [(), (1,), (2, 3, 4, 5)])
@pytest.mark.parametrize("kind", [ir.DataType.FLOAT, ir.DataType.INT64, ir.DataType.BOOL])
def test_every_input_gets_arrays_of_its_shape_and_type(
    shape: tuple[int, ...], kind: ir.DataType
) -> None:
    value = ir.Value(name="x", shape=ir.Shape(shape), type=ir.TensorType(kind))
    for feed in noise([value]).feeds:
        assert isinstance(feed["x"], np.ndarray)  # ONNX Runtime takes no numpy.float32
        assert feed["x"].shape == shape
        assert feed["x"].dtype == kind.numpy()
