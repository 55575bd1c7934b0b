"""Small seeded networks of the kinds that people convert, as their exporters write them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

type Shape = Sequence[int | str]


@dataclass
class Network:
    """Grows node by node; every method returns the name of a value."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def constant(self, values: object, dtype: type = np.float32) -> str:
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, op: str, *inputs: str, **attributes: object) -> str:
        output = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"/{output}", **attributes))
        return output

    def weights(self, *shape: int) -> str:
        """Scaled such that a convolution keeps the variance (He)."""
        values = self.random.standard_normal(shape) * np.sqrt(2 / prod(shape[1:]))
        return self.constant(values)

    def conv(
        self, x: str, inputs: int, outputs: int, kernel: int, stride: int = 1, group: int = 1
    ) -> str:
        """With pads of (kernel - 1) // 2, as PyTorch's."""
        return self.node(
            "Conv",
            x,
            self.weights(outputs, inputs // group, kernel, kernel),
            self.constant(self.random.normal(size=outputs) / 4),
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[(kernel - 1) // 2] * 4,
            group=group,
        )

    def batch_norm(self, x: str, channels: int) -> str:
        spread = 1 + self.random.random((2, channels))
        shift = self.random.normal(size=(2, channels)) / 4
        values = (spread[0], shift[0], shift[1], spread[1])
        return self.node("BatchNormalization", x, *(self.constant(v) for v in values))

    def save(self, path: str, shape: Shape, opset: int, **outputs: Shape) -> None:
        """``outputs``: shapes by the name of the value that becomes an output of that name."""
        given, results = (
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in values.items()]
            for values in ({"image": shape}, outputs)
        )
        graph = helper.make_graph(self.nodes, "network", given, results, self.initializers)
        opsets = [helper.make_opsetid("", opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=4 if opset < 11 else 8)
        onnx.checker.check_model(model)
        onnx.save(model, path)

    def name(self, x: str, name: str) -> None:
        """Give a value the name of an output."""
        for node in self.nodes:
            node.input[:] = [name if value == x else value for value in node.input]
            node.output[:] = [name if value == x else value for value in node.output]


def classifier(path: str) -> None:
    """A ResNet: opset 13, symbolic batch, batch norms left, 1x1 shortcuts with stride 2."""
    net = Network()
    x = net.node("Relu", net.batch_norm(net.conv("image", 3, 16, 7, 2), 16))
    x = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for inputs, outputs in ((16, 24), (24, 32)):
        y = net.node("Relu", net.batch_norm(net.conv(x, inputs, outputs, 3, 2), outputs))
        y = net.batch_norm(net.conv(y, outputs, outputs, 3), outputs)
        shortcut = net.batch_norm(net.conv(x, inputs, outputs, 1, 2), outputs)
        x = net.node("Relu", net.node("Add", y, shortcut))
    x = net.node("Flatten", net.node("GlobalAveragePool", x), axis=1)
    x = net.node("Gemm", x, net.weights(10, 32), net.constant(np.zeros(10)), transB=1)
    net.name(net.node("Softmax", x, axis=1), "scores")
    net.save(path, ["N", 3, 64, 96], 13, scores=["N", 10])


def face_detector(path: str) -> None:
    """A BlazeFace: opset 9, 5x5 depthwise, shortcuts by MaxPool and a pad of channels, Upsample."""
    net = Network()
    x = net.node("Relu", net.conv("image", 3, 16, 5, 2))
    for inputs, outputs, stride in ((16, 24, 2), (24, 24, 1), (24, 32, 2)):
        y = net.conv(net.conv(x, inputs, inputs, 5, stride, group=inputs), inputs, outputs, 1)
        if stride == 2:
            x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        if inputs != outputs:
            x = net.node("Pad", x, pads=[0, 0, 0, 0, 0, outputs - inputs, 0, 0], value=0.0)
        x = net.node("Relu", net.node("Add", x, y))
    coarse = net.node("Relu", net.conv(x, 32, 32, 3, 2))
    up = net.node("Upsample", coarse, net.constant([1, 1, 2, 2]), mode="nearest")
    fine = net.node("Add", x, up)
    for name, values in (("boxes", 16), ("scores", 1)):
        flat = []
        for level, anchors in ((fine, 2), (coarse, 6)):
            y = net.node("Transpose", net.conv(level, 32, anchors * values, 3), perm=[0, 2, 3, 1])
            flat.append(net.node("Reshape", y, net.constant([1, -1, values], np.int64)))
        y = net.node("Concat", *flat, axis=1)
        net.name(net.node("Sigmoid", y) if name == "scores" else y, name)
    anchors = 8 * 8 * 2 + 4 * 4 * 6
    net.save(path, [1, 3, 64, 64], 9, boxes=[1, anchors, 16], scores=[1, anchors, 1])


def text_detector(path: str) -> None:
    """A DBNet: opset 11, size left open, Resize of both kinds, transposed convolutions."""
    net = Network()
    levels, x, channels = [], "image", 3
    for outputs in (16, 24, 32):
        x = net.node("LeakyRelu", net.conv(x, channels, outputs, 3, 2), alpha=0.1)
        channels = outputs
        levels.append(net.conv(x, outputs, 16, 1))
    nearest = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    linear = {"coordinate_transformation_mode": "half_pixel"}
    no_roi, twice = net.constant([]), net.constant([1, 1, 2, 2])
    up = net.node("Resize", levels[2], no_roi, twice, mode="nearest", **nearest)
    middle = net.node("Add", levels[1], up)
    up = net.node("Resize", middle, no_roi, twice, mode="linear", **linear)
    x = net.conv(net.node("Concat", up, levels[0], axis=1), 32, 16, 3)
    two = {"kernel_shape": [2, 2], "strides": [2, 2]}
    y = net.node("ConvTranspose", x, net.weights(16, 8, 2, 2), net.constant(np.ones(8)), **two)
    net.name(net.node("Sigmoid", net.conv(net.node("Relu", y), 8, 1, 3)), "text")
    three = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4, "output_padding": [1] * 2}
    net.name(net.node("ConvTranspose", x, net.weights(16, 5, 3, 3), **three), "classes")
    net.save(path, [1, 3, "height", "width"], 11, text=[1, 1, "h", "w"], classes=[1, 5, "h", "w"])


def mobile_classifier(path: str) -> None:
    """A MobileNetV3: opset 20, HardSwish, Clip, squeeze-and-excite with HardSigmoid."""
    net = Network()
    x = net.node("HardSwish", net.conv("image", 3, 16, 3, 2))
    zero, six = net.constant(0), net.constant(6)
    for inputs, kernel, stride in ((16, 3, 2), (24, 5, 2), (32, 3, 1)):
        wide = 2 * inputs
        y = net.node("Clip", net.conv(x, inputs, wide, 1), zero, six)
        y = net.node("HardSwish", net.conv(y, wide, wide, kernel, stride, group=wide))
        gate = net.node("ReduceMean", y, net.constant([2, 3], np.int64), keepdims=1)
        gate = net.conv(net.node("Relu", net.conv(gate, wide, 8, 1)), 8, wide, 1)
        y = net.node("Mul", y, net.node("HardSigmoid", gate, alpha=1 / 6, beta=0.5))
        outputs = inputs + 8 if stride == 2 else inputs
        y = net.conv(y, wide, outputs, 1)
        x = net.node("Add", x, y) if inputs == outputs else y
    net.name(net.node("GlobalAveragePool", net.conv(x, 32, 48, 1)), "features")
    net.save(path, [1, 3, 50, 64], 20, features=[1, 48, 1, 1])


def yolox(path: str) -> None:
    """Stock YOLOX: opset 11, Focus by eight slices, SiLU, a neck, raw maps as outputs."""
    net = Network()

    def half(x: str, axis: int, start: int) -> str:
        operands = ([start], [2**31 - 1], [axis], [2])
        return net.node("Slice", x, *(net.constant(v, np.int64) for v in operands))

    def silu(x: str) -> str:
        return net.node("Mul", x, net.node("Sigmoid", x))

    corners = [half(half("image", 2, y), 3, x) for x in (0, 1) for y in (0, 1)]
    x = silu(net.conv(net.node("Concat", *corners, axis=1), 12, 16, 3))
    x = silu(net.conv(x, 16, 24, 3, 2))
    fine = silu(net.conv(net.conv(x, 24, 24, 3, 2, group=24), 24, 32, 1))
    pooled = [
        net.node("MaxPool", fine, kernel_shape=[k, k], strides=[1, 1], pads=[k // 2] * 4)
        for k in (5, 9)
    ]
    x = silu(net.conv(net.node("Concat", fine, *pooled, axis=1), 96, 32, 1))
    coarse = silu(net.conv(x, 32, 40, 3, 2))
    for name, level, channels in (("8", x, 32), ("16", coarse, 40)):
        net.name(net.conv(level, channels, 10, 1), f"cls_{name}")
        net.name(net.conv(level, channels, 4, 1), f"box_{name}")
    maps = {
        f"{kind}_{stride}": [1, channels, 64 // stride, 96 // stride]
        for kind, channels in (("cls", 10), ("box", 4))
        for stride in (8, 16)
    }
    net.save(path, [1, 3, 64, 96], 11, **maps)


NETWORKS: dict[str, Callable[[str], None]] = {
    make.__name__: make
    for make in (classifier, face_detector, text_detector, mobile_classifier, yolox)
}
