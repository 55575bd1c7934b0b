"""Runs a rewritten graph in ONNX Runtime, to compare it with the original."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.inputs import spatial_axes
from mmdet2tflite.graph.passes.auto_pad import ResolveAutoPad
from mmdet2tflite.runtime.decode import Floats
from mmdet2tflite.runtime.passport import Rotation
from mmdet2tflite.runtime.runners import rotate_180


class RewrittenRunner:
    """Runs a rewritten graph on the original's maps: rotates them where the graph is rotated.

    ONNX Runtime does not run ``SAME_UPPER`` with a dilation, so the pads are written out first.

    Raises:
        ModelError: ONNX Runtime does not load the graph: a bug of the strategy.
    """

    def __init__(self, rewritten: ir.Model, rotation: Rotation) -> None:
        model = rewritten.clone()
        ResolveAutoPad()(model)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        try:
            self._session = onnxruntime.InferenceSession(
                ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no common base class of their own
            raise ModelError(
                f"ONNX Runtime does not load the rewritten graph: {error}",
                "a graph that it can run",
                "use the strategy `explicit`, and report the model",
            ) from error
        self._spatial = {str(value.name): spatial_axes(value) for value in rewritten.graph.inputs}
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._rotation = rotation

    def infer(self, tensor: Floats) -> dict[str, Floats]:
        """Outputs by name, for a network of one input."""
        (name,) = self._spatial
        return self.run({name: tensor})

    def run(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs by name, for inputs by name; all as the original graph has them."""
        if self._rotation.input:
            feed = {
                name: np.flip(value, axes) if (axes := self._spatial[name]) else value
                for name, value in feed.items()
            }
        values = dict(zip(self._outputs, self._session.run(self._outputs, feed), strict=True))
        rotated = self._rotation.outputs
        return {
            name: rotate_180(value) if name in rotated else value for name, value in values.items()
        }
