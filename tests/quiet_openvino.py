"""OpenVINO and what imports it, without a report to its maker: that is sent on import."""

import os
from unittest import mock

from mmdet2tflite.processes.toolchain import WITHOUT_TELEMETRY

with mock.patch.dict(os.environ, WITHOUT_TELEMETRY):
    import openvino as ov
    from openvino import opset13 as ops

    from mmdet2tflite.convert.converters.ir import normalise_ir, read_onnx

__all__ = ["normalise_ir", "ops", "ov", "read_onnx"]
