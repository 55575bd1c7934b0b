"""Kinds of inputs: their number, batch, type, rank and layout; old and new versions of ONNX."""

import onnx

from tests.cases.network import BOOL, FLOAT, INT64, UINT8, Kinds, Net

KINDS = Kinds()


@KINDS.add()
def two_images() -> onnx.ModelProto:
    """A siamese network: two inputs of different sizes, one set of weights, a difference."""
    net = Net()
    left, right = net.input("template"), net.input("search", (1, 3, 13, 18))
    weights, stride = net.noise(6, 3, 3, 3), {"pads": [1] * 4, "strides": [2, 2]}
    means = [
        net.op("ReduceMean", net.op("Conv", x, weights, **stride), axes=[2, 3], keepdims=1)
        for x in (left, right)
    ]
    net.output(net.op("Sub", *means), (1, 6, 1, 1))
    return net.model()


@KINDS.add()
def image_and_numbers() -> onnx.ModelProto:
    """An image, a vector that scales its channels, and a flag."""
    net = Net()
    image, vector = net.input(), net.input("scale", (1, 6))
    flag = net.input("flag", (1,), BOOL)
    x = net.op("Mul", net.conv(image, 3, 6, stride=2), net.reshape(vector, 1, 6, 1, 1))
    net.output(net.op("Where", flag, x, net.op("Neg", x)), (1, 6, 6, 8))
    return net.model()


@KINDS.add()
def batch_of_two() -> onnx.ModelProto:
    net = Net()
    x = net.conv(net.input(shape=(2, 3, 12, 16)), 3, 4, stride=2)
    net.output(net.reshape(net.op("Relu", x), 2, 4, 48), (2, 4, 48))
    return net.model()


@KINDS.add("--batch", "1")
def batch_of_ten_as_one() -> onnx.ModelProto:
    """Declared for ten, and reshaped with the number written out."""
    net = Net()
    x = net.conv(net.input(shape=(10, 3, 12, 16)), 3, 4, stride=2)
    x = net.op("Transpose", net.reshape(x, 10, 4, 48), perm=[0, 2, 1])
    net.output(net.op("Softmax", x, axis=2), (10, 48, 4))
    return net.model()


@KINDS.add()
def symbolic_batch() -> onnx.ModelProto:
    """The batch read from the shape, as PyTorch exports ``x.view(x.size(0), -1)``."""
    net = Net()
    x = net.conv(net.input(shape=("N", 3, 12, 16)), 3, 4, stride=2)
    size = net.op("Gather", net.op("Shape", x), net.constant(0, "int64"), axis=0)
    sides = net.op("Concat", net.op("Unsqueeze", size, net.whole(0)), net.whole(-1), axis=0)
    net.output(net.op("Reshape", x, sides), ("N", 192))
    return net.model()


@KINDS.add("--input-size", "16", "12")
def symbolic_size() -> onnx.ModelProto:
    net = Net()
    x = net.conv(net.input(shape=("N", 3, "H", "W")), 3, 4, stride=2)
    sides = net.op("Slice", net.op("Shape", x), net.whole(2), net.whole(4))
    small = net.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    whole = net.op("Concat", net.whole(1, 4), sides, axis=0)
    how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    net.output(net.op("Add", x, net.op("Resize", small, "", "", whole, **how)), ("N", 4, "h", "w"))
    return net.model()


@KINDS.add("--input-shape", "series=2,5,7")
def everything_symbolic() -> onnx.ModelProto:
    net = Net()
    x = net.op("MatMul", net.input("series", ("N", "T", "C")), net.noise(7, 3))
    net.output(net.op("Tanh", x), ("N", "T", 3))
    return net.model()


@KINDS.add()
def channels_last() -> onnx.ModelProto:
    """N x H x W x C, normalised, and turned by the network itself, as tf2onnx writes it."""
    net = Net()
    x = net.op("Div", net.input(shape=(1, 12, 16, 3)), net.constant(3))
    x = net.op("Transpose", x, perm=[0, 3, 1, 2])
    net.output(net.conv(x, 3, 4, stride=2), (1, 4, 6, 8))
    return net.model()


@KINDS.add()
def channels_last_cube() -> onnx.ModelProto:
    """The shape does not tell that the channels are last."""
    net = Net()
    x = net.op("Transpose", net.input(shape=(1, 8, 8, 8)), perm=[0, 3, 1, 2])
    net.output(net.conv(x, 8, 4, stride=2), (1, 4, 4, 4))
    return net.model()


@KINDS.add()
def a_cube() -> onnx.ModelProto:
    """C = H = W, and channels first: what reads it knows no layout, and then a convolution does."""
    net = Net()
    x = net.op(
        "Where",
        net.op("Greater", net.input(shape=(1, 8, 8, 8)), net.constant(0)),
        "image",
        net.noise(8, 1, 1),
    )
    net.output(net.conv(x, 8, 4, stride=2), (1, 4, 4, 4))
    net.output(net.op("ReduceMean", x, axes=[2], keepdims=1), (1, 8, 1, 8))
    return net.model()


@KINDS.add()
def read_by_a_product() -> onnx.ModelProto:
    """Columns of the image are mixed first: no operator of the converter asks for a layout."""
    net = Net()
    x = net.op("MatMul", net.input(), net.noise(16, 10))
    net.output(net.conv(x, 3, 4, stride=2), (1, 4, 6, 5))
    return net.model()


@KINDS.add()
def bytes_of_an_image() -> onnx.ModelProto:
    net = Net()
    x = net.op("Cast", net.input(kind=UINT8), to=FLOAT)
    x = net.op("Mul", net.op("Sub", x, net.constant(127.5)), net.constant(1 / 127.5))
    net.output(net.conv(x, 3, 4, stride=2), (1, 4, 6, 8))
    return net.model()


@KINDS.add()
def bytes_channels_last() -> onnx.ModelProto:
    net = Net()
    x = net.op("Cast", net.input(shape=(1, 12, 16, 3), kind=UINT8), to=FLOAT)
    x = net.op("Transpose", net.op("Mul", x, net.constant(1 / 255)), perm=[0, 3, 1, 2])
    net.output(net.conv(x, 3, 4, stride=2), (1, 4, 6, 8))
    return net.model()


@KINDS.add()
def tokens() -> onnx.ModelProto:
    """A transformer layer over five tokens of int64: no convolution, and nothing of rank 4."""
    net = Net()
    ids = net.input("ids", (1, 5), INT64)
    x = net.op("Gather", net.noise(9, 8), ids, axis=0)
    parts = [net.op("MatMul", x, net.noise(8, 8)) for _ in range(3)]
    scores = net.op("MatMul", parts[0], net.op("Transpose", parts[1], perm=[0, 2, 1]))
    x = net.op("Add", x, net.op("MatMul", net.op("Softmax", scores, axis=-1), parts[2]))
    x = net.op("LayerNormalization", x, net.noise(8), net.noise(8), axis=-1)
    net.output(x, (1, 5, 8))
    return net.model()


@KINDS.add()
def a_row() -> onnx.ModelProto:
    """Rank 2: a head alone."""
    net = Net()
    x = net.op("Gemm", net.input("features", (1, 10)), net.noise(6, 10), net.noise(6), transB=1)
    net.output(net.op("Softmax", x, axis=1), (1, 6))
    return net.model()


@KINDS.add()
def a_signal() -> onnx.ModelProto:
    """Rank 3: one-dimensional convolutions, strided and dilated, and a pooling."""
    net = Net()
    x = net.input("signal", (1, 2, 30))
    x = net.op("Conv", x, net.noise(4, 2, 3), net.noise(4), pads=[1, 1], strides=[2])
    x = net.op("Conv", net.op("Relu", x), net.noise(4, 4, 3), pads=[2, 2], dilations=[2])
    net.output(net.op("MaxPool", x, kernel_shape=[3], strides=[2], pads=[1, 1]), (1, 4, 8))
    return net.model()


@KINDS.add()
def a_volume() -> onnx.ModelProto:
    """Rank 5: a three-dimensional convolution."""
    net = Net()
    x = net.input("volume", (1, 2, 5, 6, 7))
    x = net.op("Conv", x, net.noise(3, 2, 3, 3, 3), pads=[1] * 6)
    net.output(net.op("Relu", x), (1, 3, 5, 6, 7))
    return net.model()


@KINDS.add()
def opset_7_ir_3() -> onnx.ModelProto:
    """Weights are inputs, too; batch normalisation; no auto_pad, no Resize."""
    net = Net(opset=7, ir=3)
    x = net.conv(net.input(), 3, 4, stride=2)
    x = net.op(
        "BatchNormalization",
        x,
        net.noise(4),
        net.noise(4),
        net.noise(4),
        net.constant([1.0, 2, 3, 1]),
    )
    net.output(net.conv(net.op("Relu", x), 4, 5), (1, 5, 6, 8))
    return net.model()


@KINDS.add()
def opset_9_ir_3() -> onnx.ModelProto:
    net = Net(opset=9, ir=3)
    x = net.op("Clip", net.conv(net.input(), 3, 4, stride=2), min=0.0, max=6.0)
    x = net.op("Upsample", x, net.constant([1.0, 1, 2, 2]), mode="nearest")
    x = net.op("Pad", x, pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="reflect")
    net.output(x, (1, 4, 14, 18))
    return net.model()


@KINDS.add()
def opset_22() -> onnx.ModelProto:
    net = Net(opset=22, ir=10)
    x = net.op("HardSwish", net.conv(net.input(), 3, 4, stride=2))
    x = net.op("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    x = net.op("ReduceMean", x, net.whole(2, 3), keepdims=0)
    net.output(x, (1, 4))
    return net.model()


@KINDS.add()
def opset_23() -> onnx.ModelProto:
    net = Net(opset=23, ir=11)
    x = net.op("MaxPool", net.conv(net.input(), 3, 4), kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("Reshape", x, net.whole(1, -1))
    net.output(net.op("Identity", x), (1, 192))
    return net.model()
