"""Runs a rewritten graph in ONNX Runtime, to compare it with the original."""

import onnx_ir as ir
import onnxruntime

from mmdet2tflite.errors import ModelError
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
        self._input = self._session.get_inputs()[0].name
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._rotation = rotation

    def infer(self, tensor: Floats) -> dict[str, Floats]:
        """Outputs by name, for an input of N x C x H x W."""
        feed = {self._input: rotate_180(tensor) if self._rotation.input else tensor}
        values = dict(zip(self._outputs, self._session.run(self._outputs, feed), strict=True))
        rotated = self._rotation.outputs
        return {
            name: rotate_180(value) if name in rotated else value for name, value in values.items()
        }
