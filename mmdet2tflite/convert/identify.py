"""Which output of a TFLite file is which of the ONNX, where the converter lost their names."""

from collections.abc import Mapping

import numpy as np

from mmdet2tflite.convert.tflite_file import axis_orders
from mmdet2tflite.errors import ModelError
from mmdet2tflite.runtime.decode import Floats


def identify_outputs(expected: Mapping[str, Floats], found: Mapping[str, Floats]) -> dict[str, str]:
    """Find each ONNX output among a TFLite file's by the values that both compute for one input.

    1. An output of the file can be one of the ONNX if it has its shape, its axes in any order.
    2. Of several it is the one with the nearest values (largest absolute difference).

    Whether the values are near enough is not asked here: the finished file is compared anyway.

    Returns:
        The TFLite name by ONNX name.

    Raises:
        ModelError: no output of the file has the shape, or two outputs of the ONNX have the same
            values and cannot be told apart.
    """
    names: dict[str, str] = {}
    for name, values in expected.items():
        distances = {
            other: _distance(values, candidate)
            for other, candidate in found.items()
            if axis_orders(values.shape, candidate.shape)
        }
        if not distances:
            described = ", ".join(f"{other} {list(v.shape)}" for other, v in found.items())
            raise ModelError(
                f"no output of the TFLite file can be {name} {list(values.shape)}: {described}",
                "an output of that shape",
            )
        nearest = min(distances, key=distances.__getitem__)
        for earlier, taken in names.items():
            if taken == nearest:
                raise ModelError(
                    f"{earlier} and {name} cannot be told apart: both are nearest to {nearest}",
                    "outputs with values of their own",
                    "use the converter onnx2tf, which keeps the names",
                )
        names[name] = nearest
    return names


def _distance(values: Floats, candidate: Floats) -> float:
    return min(
        float(np.abs(values.transpose(order).astype(np.float64) - candidate).max())
        for order in axis_orders(values.shape, candidate.shape)
    )
