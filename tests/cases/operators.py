"""Kinds of operators: those that converters get wrong."""

import numpy as np
import onnx

from tests.cases.network import MAP, Kinds, Net, stem

KINDS = Kinds()


@KINDS.add()
def split_by_number() -> onnx.ModelProto:
    """Into equal parts, and into parts of which the last is smaller."""
    net = Net(opset=18)
    x = stem(net, 8)
    even = net.op("Split", x, count=2, axis=1, num_outputs=2)
    uneven = net.op("Split", x, count=3, axis=3, num_outputs=3)
    net.output(net.op("Mul", *even), (1, 4, 6, 8))
    for part, width in zip(uneven, (3, 3, 2), strict=True):
        net.output(part, (1, 8, 6, width))
    return net.model()


@KINDS.add()
def backward_slices() -> onnx.ModelProto:
    """Flips of channels and of width, and every second row from the end."""
    net = Net()
    image = net.input()

    def back(x: str, axis: int, step: int, end: int) -> str:
        return net.op("Slice", x, *(net.whole(n) for n in (-1, end, axis, step)))

    x = net.conv(back(image, 1, -1, np.iinfo(np.int64).min), 3, 4, stride=2)
    net.output(back(x, 3, -1, np.iinfo(np.int32).min), MAP)
    net.output(back(x, 2, -2, -100), (1, 4, 3, 8))
    return net.model()


@KINDS.add()
def nearest_resizes() -> onnx.ModelProto:
    """By whole factors and by others, with every rule of rounding that exporters write."""
    net = Net()
    x = stem(net)
    ways = (
        ("asymmetric", "floor", (2, 2)),
        ("asymmetric", "ceil", (2, 3)),
        ("asymmetric", "round_prefer_ceil", (2, 2)),
        ("half_pixel", "round_prefer_floor", (1.5, 2.5)),
        ("half_pixel", "round_prefer_ceil", (1.5, 0.5)),
        ("asymmetric", "floor", (1.5, 1.5)),
    )
    for mode, rounding, (y, z) in ways:
        how = {"coordinate_transformation_mode": mode, "nearest_mode": rounding}
        scales = net.constant([1, 1, y, z])
        out = net.op("Resize", x, "", scales, mode="nearest", **how)
        net.output(out, (1, 4, int(6 * y), int(8 * z)))
    return net.model()


@KINDS.add()
def linear_resizes() -> onnx.ModelProto:
    """Up and down, by factors that are not whole, and by sizes."""
    net = Net()
    x = stem(net)
    ways = (
        ("half_pixel", (2, 2)),
        ("align_corners", (2, 3)),
        ("pytorch_half_pixel", (2, 1.5)),
        ("asymmetric", (2, 2)),
        ("half_pixel", (0.5, 0.5)),
        ("half_pixel", (0.4, 0.3)),
        ("asymmetric", (0.75, 0.7)),
    )
    for mode, (y, z) in ways:
        how = {"mode": "linear", "coordinate_transformation_mode": mode}
        out = net.op("Resize", x, "", net.constant([1, 1, y, z]), **how)
        net.output(out, (1, 4, int(6 * y), int(8 * z)))
    how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    net.output(net.op("Resize", x, "", "", net.whole(1, 4, 9, 11), **how), (1, 4, 9, 11))
    return net.model()


@KINDS.add()
def cubic_resize() -> onnx.ModelProto:
    net = Net()
    how = {"mode": "cubic", "coordinate_transformation_mode": "half_pixel"}
    out = net.op("Resize", stem(net), "", net.constant([1, 1, 2, 2]), **how)
    net.output(out, (1, 4, 12, 16))
    return net.model()


@KINDS.add()
def dilated_max_pools() -> onnx.ModelProto:
    net = Net()
    x = net.conv(net.input(), 3, 4, stride=2)
    near = net.op("MaxPool", x, kernel_shape=[3, 3], dilations=[2, 2], pads=[2] * 4)
    far = net.op("MaxPool", x, kernel_shape=[2, 3], dilations=[3, 2], strides=[1, 2])
    net.output(near, MAP)
    net.output(far, (1, 4, 3, 2))
    return net.model()


@KINDS.add()
def poolings_that_round_up() -> onnx.ModelProto:
    """``ceil_mode``, of averages with and without their padding."""
    net = Net(opset=19, ir=9)
    x = net.conv(net.input(shape=(1, 3, 13, 17)), 3, 8, stride=2)
    how = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4, "ceil_mode": 1}
    net.output(net.op("MaxPool", x, **how), (1, 8, 4, 5))
    net.output(net.op("AveragePool", x, **how, count_include_pad=1), (1, 8, 4, 5))
    net.output(net.op("AveragePool", x, **how), (1, 8, 4, 5))
    return net.model()


@KINDS.add()
def computed_kernels() -> onnx.ModelProto:
    """A tracker: the pooled template is the depthwise kernel of the search image."""
    net = Net()
    template, search = net.input("template", (1, 3, 8, 8)), net.input("search", (1, 3, 12, 16))
    weights = net.noise(4, 3, 3, 3)
    kernel = net.op("Conv", template, weights, strides=[3, 3])
    x = net.op("Conv", search, weights, strides=[2, 2], pads=[1] * 4)
    kernel = net.reshape(kernel, 4, 1, 2, 2)
    net.output(net.op("Conv", x, kernel, group=4), (1, 4, 5, 7))
    return net.model()


@KINDS.add()
def computed_pointwise_kernels() -> onnx.ModelProto:
    """An instance mask: 1x1 kernels that a branch predicts."""
    net = Net()
    x = stem(net)
    kernel = net.conv(net.op("GlobalAveragePool", x), 4, 8, 1)
    net.output(net.op("Conv", x, net.reshape(kernel, 2, 4, 1, 1)), (1, 2, 6, 8))
    return net.model()


@KINDS.add()
def gelus() -> onnx.ModelProto:
    net = Net(opset=20, ir=9)
    x = net.conv(net.input(), 3, 4, stride=2)
    for kind in ("none", "tanh"):
        net.output(net.op("Gelu", x, approximate=kind), MAP)
    return net.model()


@KINDS.add()
def channel_attention() -> onnx.ModelProto:
    """ECA: a convolution of one dimension over the channels."""
    net = Net()
    x = stem(net, 8)
    row = net.op("Transpose", net.reshape(net.op("GlobalAveragePool", x), 1, 8, 1), perm=[0, 2, 1])
    row = net.op("Conv", row, net.noise(1, 1, 3), pads=[1, 1])
    gate = net.op("Sigmoid", net.reshape(net.op("Transpose", row, perm=[0, 2, 1]), 1, 8, 1, 1))
    net.output(net.op("Mul", x, gate), (1, 8, 6, 8))
    return net.model()


@KINDS.add()
def a_shuffle_of_halves() -> onnx.ModelProto:
    """ShuffleNetV2: half of the channels are convolved, then both are interleaved, twice."""
    net = Net()
    x = stem(net, 8)
    for _ in range(2):
        kept = net.op("Slice", x, net.whole(0), net.whole(4), net.whole(1))
        changed = net.conv(net.op("Slice", x, net.whole(4), net.whole(8), net.whole(1)), 4, 4)
        pairs = net.reshape(net.op("Concat", kept, changed, axis=1), 1, 2, 4, 6, 8)
        x = net.reshape(net.op("Transpose", pairs, perm=[0, 2, 1, 3, 4]), 1, 8, 6, 8)
    net.output(net.conv(x, 8, 3), (1, 3, 6, 8))
    return net.model()


@KINDS.add()
def unit_vectors() -> onnx.ModelProto:
    """``torch.nn.functional.normalize`` of pixels, of which some are zero: padded ones."""
    net = Net()
    x = net.op("Pad", stem(net), net.whole(0, 0, 1, 0, 0, 0, 0, 1))
    length = net.op("ReduceL2", x, axes=[1], keepdims=1)
    x = net.op("Div", x, net.op("Clip", length, net.constant(1e-12)))
    net.output(net.conv(x, 4, 3), (1, 3, 7, 9))
    return net.model()


@KINDS.add()
def pyramid_of_odd_maps() -> onnx.ModelProto:
    """Nearest up-sampling by sizes, 3 x 4 to 5 x 7, and heads on both levels."""
    net = Net()
    fine = net.op("Relu", net.conv(net.input(shape=(1, 3, 9, 13)), 3, 4, stride=2))
    coarse = net.op("Relu", net.conv(fine, 4, 4, stride=2))
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    up = net.op("Resize", coarse, "", "", net.whole(1, 4, 5, 7), mode="nearest", **how)
    net.output(net.conv(net.op("Add", fine, up), 4, 2), (1, 2, 5, 7))
    net.output(net.conv(coarse, 4, 2), (1, 2, 3, 4))
    return net.model()


@KINDS.add()
def attention_of_a_square() -> onnx.ModelProto:
    """As many pixels as channels: 16 x 4 x 4."""
    net = Net()
    x = net.conv(net.input(shape=(1, 3, 8, 8)), 3, 16, stride=2)
    rows = net.reshape(x, 1, 16, 16)
    scores = net.op("MatMul", net.op("Transpose", rows, perm=[0, 2, 1]), rows)
    weights = net.op("Softmax", scores, axis=-1)
    net.output(net.reshape(net.op("MatMul", rows, weights), 1, 16, 4, 4), (1, 16, 4, 4))
    return net.model()


@KINDS.add()
def transposed_convolutions() -> onnx.ModelProto:
    net = Net()
    x = stem(net)
    ways = (
        ((4, 2, 3, 3), {"strides": [2, 2], "pads": [1] * 4, "output_padding": [1, 1]}, (12, 16)),
        ((4, 2, 4, 4), {"strides": [3, 3], "pads": [1] * 4}, (17, 23)),
        ((4, 1, 4, 4), {"strides": [2, 2], "pads": [1] * 4, "group": 4}, (12, 16)),
        ((4, 2, 3, 3), {"strides": [2, 2], "output_padding": [1, 1]}, (14, 18)),
    )
    for shape, how, size in ways:
        channels = shape[1] * how.get("group", 1)
        net.output(net.op("ConvTranspose", x, net.noise(*shape), **how), (1, channels, *size))
    return net.model()


@KINDS.add()
def pads_of_every_mode() -> onnx.ModelProto:
    net = Net(opset=18)
    x = stem(net)
    for mode in ("reflect", "edge", "constant"):
        padded = net.op("Pad", x, net.whole(2, 1, 1, 3), "", net.whole(2, 3), mode=mode)
        net.output(net.op("Conv", padded, net.noise(3, 4, 3, 3), strides=[2, 2]), (1, 3, 4, 5))
    return net.model()


@KINDS.add()
def group_normalisation() -> onnx.ModelProto:
    """As PyTorch exports it."""
    net = Net()
    x = stem(net, 8)
    groups = net.constant(np.ones(2)), net.constant(np.zeros(2))
    flat = net.op("InstanceNormalization", net.reshape(x, 0, 2, -1), *groups)
    x = net.op("Mul", net.reshape(flat, 1, 8, 6, 8), net.noise(8, 1, 1))
    x = net.op("Add", x, net.noise(8, 1, 1))
    net.output(net.conv(net.op("Mul", x, net.op("Sigmoid", x)), 8, 4), MAP)
    return net.model()
