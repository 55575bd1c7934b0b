"""Runs a graph and its original in ONNX Runtime, to compare them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
import onnx_ir as ir
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.inputs import spatial_axes
from mmdet2tflite.graph.opset import upgrade
from mmdet2tflite.graph.passes.auto_pad import ResolveAutoPad
from mmdet2tflite.passport import Rotation
from mmdet2tflite.runtime.decode import Floats
from mmdet2tflite.runtime.runners import OnnxRunner, rotate_180

ALL_THREADS = 0
"""ONNX Runtime's word for as many as there are cores."""
RIGHT_POOLINGS, IR_OF_RIGHT_POOLINGS = 19, 9
"""The first opset of which ONNX Runtime counts padding rightly; the IR version that goes with it.
"""


def open_reference(model: Path | bytes, threads: int) -> OnnxRunner:
    """What others are compared with: a file, or its content, in ONNX Runtime, which must be right.

    Before opset 19, ONNX Runtime (1.26) divides an average pooling with ``ceil_mode`` that counts
    its padding by the whole kernel, where PyTorch and ONNX's reference implementation divide by
    the rows that are there or padded. A file with such a pooling is brought up to opset 19.

    Raises:
        ModelError: the file does not load.
    """
    return OnnxRunner(_with_right_poolings(model) or model, threads)


class RewrittenRunner:
    """Runs a rewritten graph on the original's maps: rotates them where the graph is rotated.

    ONNX Runtime does not run ``SAME_UPPER`` with a dilation, so the pads are written out first.

    Raises:
        ModelError: ONNX Runtime does not load the graph: a bug of the strategy.
    """

    def __init__(self, rewritten: ir.Model, rotation: Rotation) -> None:
        model = rewritten.clone()
        ResolveAutoPad()(model)
        try:
            self._runner = OnnxRunner(ir.to_proto(model).SerializeToString(), ALL_THREADS)
        except ModelError as error:
            raise ModelError(
                f"the rewritten graph: {error.found}",
                error.expected,
                "use the strategy `explicit`, and report the model",
            ) from error
        self._spatial = {str(value.name): spatial_axes(value) for value in rewritten.graph.inputs}
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
        values = self._runner.run(feed)
        rotated = self._rotation.outputs
        return {
            name: rotate_180(value) if name in rotated else value for name, value in values.items()
        }


def _with_right_poolings(file: Path | bytes) -> bytes | None:
    """None where the file is right as it is, is none, or cannot be converted."""
    try:
        if isinstance(file, bytes):
            model = onnx.load_from_string(file)
        else:
            model = onnx.load(file, load_external_data=False)
    except (OSError, DecodeError):
        return None
    opset = max((each.version for each in model.opset_import if not each.domain), default=0)
    if opset >= RIGHT_POOLINGS or not any(map(_counts_in_ceil_mode, model.graph.node)):
        return None
    try:
        whole = model if isinstance(file, bytes) else onnx.load(file)
        mended = ir.to_proto(upgrade(ir.from_proto(whole)))
        newer = onnx.version_converter.convert_version(mended, RIGHT_POOLINGS)
    except (RuntimeError, ValueError, ModelError, onnx.version_converter.ConvertError):
        return None
    newer.ir_version = max(newer.ir_version, IR_OF_RIGHT_POOLINGS)
    return newer.SerializeToString()


def _counts_in_ceil_mode(node: onnx.NodeProto) -> bool:
    flags = {attribute.name: attribute.i for attribute in node.attribute}
    wanted = flags.get("ceil_mode") and flags.get("count_include_pad")
    return node.op_type == "AveragePool" and bool(wanted)
