"""Networks of one convolution or pooling, as ONNX computes them and as SAME in a TFLite file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from mmdet2tflite.tflite.padding_flag import Pads
from tests.tflite.tflite_writer import Writer


@dataclass(frozen=True)
class Case:
    """A convolution; its numbers are small integers, which float32 sums without rounding."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    pads: Pads
    stride: int = 2
    dilation: int = 1
    depthwise: bool = False

    @property
    def image(self) -> np.ndarray:
        return integers(1, (1, 2, *self.size), 3)

    @property
    def weights(self) -> np.ndarray:
        return integers(
            2, (2 if self.depthwise else 3, 1 if self.depthwise else 2, *self.kernel), 1
        )

    @property
    def output(self) -> tuple[int, int, int, int]:
        rows, columns = (-(-side // self.stride) for side in self.size)  # SAME's size
        return 1, rows, columns, len(self.weights)


CASES = {
    "3x3, even": Case((8, 10), (3, 3), (1, 1, 1, 1)),
    "3x3, odd height and even width": Case((7, 8), (3, 3), (1, 1, 1, 1)),
    "5x5, even": Case((8, 10), (5, 5), (2, 2, 2, 2)),
    "5x5, odd, stride 3": Case((9, 15), (5, 5), (2, 2, 2, 2), stride=3),
    "all sides different": Case((8, 10), (3, 5), (2, 0, 1, 3)),
    "dilated": Case((8, 10), (3, 3), (2, 2, 2, 2), dilation=2),
    "depthwise": Case((8, 10), (3, 3), (1, 1, 1, 1), depthwise=True),
    "depthwise, 5x5, even": Case((8, 6), (5, 5), (2, 2, 2, 2), depthwise=True),
}


def integers(seed: int, shape: Sequence[int], limit: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-limit, limit + 1, shape).astype(np.float32)


def onnx_outputs(node: Any, image: np.ndarray, *constants: np.ndarray) -> np.ndarray:
    """What ONNX Runtime computes, as N x H x W x C."""
    initializers = [
        numpy_helper.from_array(value, name)
        for value, name in zip(constants, node.input[1:], strict=True)
    ]
    image_info = helper.make_tensor_value_info("image", TensorProto.FLOAT, image.shape)
    result = helper.make_tensor_value_info("map", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "tiny", [image_info], [result], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"image": image})[0].transpose(0, 2, 3, 1)


def truth(case: Case) -> np.ndarray:
    top, bottom, left, right = case.pads
    node = helper.make_node(
        "Conv",
        ["image", "weights"],
        ["map"],
        pads=[top, left, bottom, right],
        strides=[case.stride] * 2,
        dilations=[case.dilation] * 2,
        group=2 if case.depthwise else 1,
    )
    return onnx_outputs(node, case.image, case.weights)


def written_same(
    case: Case, kind: type[np.generic] = np.float32, scale: float = 0.5, zero_point: int = 0
) -> schema.ModelT:
    """The convolution as a converter writes it for ``engine``: SAME."""
    writer = Writer()
    stored = {} if kind is np.float32 else {"dtype": kind, "scale": scale, "zero_point": zero_point}
    image = writer.tensor("image", (1, *case.size, 2), **stored)
    kernel = case.weights.transpose(1, 2, 3, 0) if case.depthwise else case.weights
    kernel = kernel if case.depthwise else kernel.transpose(0, 2, 3, 1)
    bias = np.zeros(len(case.weights), np.float32)
    if kind is np.float32:
        operands = [writer.constant("weights", kernel), writer.constant("bias", bias)]
        found = writer.tensor("map", case.output)
    else:
        # The older uint8 scheme: one scale for all weights, and a zero point for them too.
        scales = 1 if kind is np.uint8 else len(bias)
        if kind is np.uint8:
            unsigned = (kernel + 128).astype(np.uint8)
            weights = writer.constant("weights", unsigned, scale=0.25, zero_point=128)
        else:
            weights = writer.constant(
                "weights",
                kernel.astype(np.int8),
                scale=[0.25] * scales,
                channels=3 if case.depthwise else 0,
            )
        wide = bias.astype(np.int64 if kind is np.int16 else np.int32)
        operands = [weights, writer.constant("bias", wide, scale=[scale / 4] * scales)]
        found = writer.tensor("map", case.output, kind, scale / 4, zero_point)
    writer.conv(
        image,
        *operands,
        found,
        strides=(case.stride, case.stride),
        dilations=(case.dilation, case.dilation),
        same=True,
        depthwise=case.depthwise,
        quantised=kind is not np.float32,
    )
    return writer.finish({"picture": image}, {"map": found})


def nhwc(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.transpose(0, 2, 3, 1))


def pooling(name: str, kernel: int, **stored: Any) -> schema.ModelT:
    writer = Writer()
    image = writer.tensor("image", (1, 8, 10, 2), **stored)
    found = writer.tensor("map", (1, 4, 5, 2), **stored)
    options = schema.Pool2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideH = options.strideW = 2
    options.filterHeight = options.filterWidth = kernel
    writer.operator(name, [image], found, options, 2 if stored else 1)
    return writer.finish({"picture": image}, {"map": found})


def chain() -> schema.ModelT:
    """Two flagged operators in a row, and one between them that is not."""
    writer = Writer()
    image = writer.tensor("image", (1, 8, 8, 1))
    kernel = writer.constant("weights", np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1))
    bias = writer.constant("bias", np.zeros(1, np.float32))
    value = image
    for name, size, stride in (("first", 4, 2), ("between", 4, 1), ("second", 2, 2)):
        result = writer.tensor(name, (1, size, size, 1))
        writer.conv(value, kernel, bias, result, strides=(stride, stride), same=True)
        value = result
    return writer.finish({"picture": image}, {"map": value})


CHAIN_FLAGS: dict[str, Pads] = {"second": (1, 1, 1, 1), "first": (1, 0, 1, 0)}
