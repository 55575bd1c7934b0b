"""Kinds of outputs: what else reads them, equal ones, their names, types, ranks and layouts."""

import numpy as np
import onnx

from tests.cases.network import BOOL, INT32, INT64, UINT8, Kinds, Net

KINDS = Kinds()


@KINDS.add()
def read_by_an_activation() -> onnx.ModelProto:
    """A convolution and its activation are outputs both: converters fuse the two."""
    net = Net()
    x = net.conv(net.input(), 3, 4, stride=2)
    net.output(net.op("Relu", x), (1, 4, 6, 8))
    net.output(x, (1, 4, 6, 8))
    y = net.conv(x, 4, 4)
    net.output(net.op("Clip", y, net.constant(0), net.constant(6)), (1, 4, 6, 8))
    net.output(y, (1, 4, 6, 8))
    return net.model()


@KINDS.add()
def taps_of_a_backbone() -> onnx.ModelProto:
    """Each stage is an output, and read by the next."""
    net = Net()
    x, shape, channels = net.input(), (12, 16), 3
    for width in (4, 6, 8):
        x = net.op("Relu", net.conv(x, channels, width, stride=2))
        shape, channels = tuple((side + 1) // 2 for side in shape), width
        net.output(x, (1, width, *shape))
    return net.model()


@KINDS.add()
def one_value_three_times() -> onnx.ModelProto:
    net = Net()
    x = net.conv(net.input(), 3, 4, stride=2)
    net.output(net.op("Identity", x), (1, 4, 6, 8))
    net.output(x, (1, 4, 6, 8))
    net.output(net.op("Identity", net.op("Identity", x)), (1, 4, 6, 8))
    return net.model()


@KINDS.add()
def names_with_slashes() -> onnx.ModelProto:
    """As PyTorch names values; two of one shape."""
    net = Net()
    x = net.op("Relu", net.conv(net.input("/input"), 3, 4, stride=2))
    net.output(net.conv(x, 4, 5), (1, 5, 6, 8), name="/head.0/cls/Conv_output_0")
    net.output(net.conv(x, 4, 5), (1, 5, 6, 8), name="/head.1/cls/Conv_output_0")
    net.output(net.conv(x, 4, 2), (1, 2, 6, 8), name="box:0")
    return net.model()


@KINDS.add()
def names_that_differ_in_case() -> onnx.ModelProto:
    net = Net()
    x = net.conv(net.input("Image"), 3, 4, stride=2)
    net.output(net.conv(x, 4, 5), (1, 5, 6, 8), name="out")
    net.output(net.conv(x, 4, 5), (1, 5, 6, 8), name="Out")
    net.output(net.conv(x, 4, 5), (1, 5, 6, 8), name="OUT")
    return net.model()


@KINDS.add()
def not_in_the_order_of_their_names() -> onnx.ModelProto:
    net = Net()
    x = net.conv(net.input(), 3, 4, stride=2)
    for name in ("z", "a", "m", "10", "9"):
        net.output(net.conv(x, 4, 5, 1), (1, 5, 6, 8), name=name)
    return net.model()


@KINDS.add()
def places() -> onnx.ModelProto:
    """int64: ArgMax with and without its axis, and the indices of TopK."""
    net = Net()
    x = net.conv(net.input(), 3, 5, stride=2)
    net.output(net.op("ArgMax", x, axis=1, keepdims=1), (1, 1, 6, 8), INT64)
    net.output(net.op("ArgMax", x, axis=1, keepdims=0), (1, 6, 8), INT64)
    values, indices = net.op("TopK", net.reshape(x, 1, 240), net.whole(7), count=2)
    net.output(values, (1, 7))
    net.output(indices, (1, 7), INT64)
    return net.model()


@KINDS.add()
def truths() -> onnx.ModelProto:
    net = Net()
    x = net.conv(net.input(), 3, 4, stride=2)
    net.output(net.op("Greater", x, net.constant(0.25)), (1, 4, 6, 8), BOOL)
    net.output(net.op("Not", net.op("Less", x, net.constant(0))), (1, 4, 6, 8), BOOL)
    return net.model()


@KINDS.add()
def an_image_of_bytes() -> onnx.ModelProto:
    """As super-resolution ends."""
    net = Net()
    x = net.op("Mul", net.conv(net.input(), 3, 3), net.constant(60))
    x = net.op("Clip", x, net.constant(0), net.constant(255))
    net.output(net.op("Cast", x, to=UINT8), (1, 3, 12, 16), UINT8)
    return net.model()


@KINDS.add()
def whole_numbers() -> onnx.ModelProto:
    """int32 and int64 by Cast."""
    net = Net()
    x = net.op("Mul", net.conv(net.input(), 3, 4, stride=2), net.constant(9))
    net.output(net.op("Cast", x, to=INT32), (1, 4, 6, 8), INT32)
    net.output(net.op("Cast", x, to=INT64), (1, 4, 6, 8), INT64)
    return net.model()


@KINDS.add()
def predictions_in_a_row() -> onnx.ModelProto:
    """Two levels of a YOLOX, concatenated and transposed last: 1 x anchors x 7."""
    net = Net()
    fine = net.op("Relu", net.conv(net.input(), 3, 4, stride=2))
    coarse = net.op("Relu", net.conv(fine, 4, 4, stride=2))
    rows = []
    for level in (fine, coarse):
        parts = net.conv(level, 4, 2, 1), net.op("Sigmoid", net.conv(level, 4, 5, 1))
        rows.append(net.reshape(net.op("Concat", *parts, axis=1), 1, 7, -1))
    x = net.op("Concat", *rows, axis=2)
    net.output(net.op("Transpose", x, perm=[0, 2, 1]), (1, 60, 7))
    return net.model()


@KINDS.add()
def channels_last_map() -> onnx.ModelProto:
    net = Net()
    x = net.op("Transpose", net.conv(net.input(), 3, 4, stride=2), perm=[0, 2, 3, 1])
    net.output(x, (1, 6, 8, 4))
    net.output(net.op("Transpose", x, perm=[0, 1, 3, 2]), (1, 6, 4, 8))
    return net.model()


@KINDS.add()
def a_cube() -> onnx.ModelProto:
    """C = H = W: a shape does not tell in which order the axes stand."""
    net = Net()
    x = net.conv(net.input(shape=(1, 3, 16, 16)), 3, 8, stride=2)
    net.output(x, (1, 8, 8, 8))
    net.output(net.op("Transpose", x, perm=[0, 1, 3, 2]), (1, 8, 8, 8))
    net.output(net.reshape(x, 1, 8, 64), (1, 8, 64))
    return net.model()


@KINDS.add()
def a_cube_reshaped() -> onnx.ModelProto:
    """A map becomes a sequence, and another map of equal sides."""
    net = Net()
    x = net.conv(net.input(shape=(1, 3, 16, 16)), 3, 8, stride=2)
    x = net.op("Transpose", net.reshape(x, 1, 64, 8), perm=[0, 2, 1])
    net.output(net.conv(net.reshape(x, 1, 8, 8, 8), 8, 4), (1, 4, 8, 8))
    return net.model()


@KINDS.add()
def constants() -> onnx.ModelProto:
    """Anchors and their strides beside the predictions."""
    net = Net()
    anchors, strides = net.noise(1, 4, 6, 8), net.whole(8, 16, 32)
    net.output(net.conv(net.input(), 3, 4, stride=2), (1, 4, 6, 8))
    net.output(net.op("Identity", anchors), (1, 4, 6, 8), name="anchors")
    net.output(net.op("Identity", strides), (3,), INT64, name="strides")
    return net.model()


@KINDS.add()
def an_initializer_itself() -> onnx.ModelProto:
    net = Net()
    net.output(net.conv(net.input(), 3, 4, stride=2), (1, 4, 6, 8))
    net.output(net.constant(np.arange(6).reshape(2, 3)), (2, 3))
    return net.model()


@KINDS.add()
def a_copy_of_the_input() -> onnx.ModelProto:
    net = Net()
    image = net.input()
    net.output(net.conv(image, 3, 4, stride=2), (1, 4, 6, 8))
    net.output(net.op("Identity", image), (1, 3, 12, 16), name="again")
    return net.model()


@KINDS.add()
def the_input_itself() -> onnx.ModelProto:
    net = Net()
    image = net.input()
    net.output(net.conv(image, 3, 4, stride=2), (1, 4, 6, 8))
    net.output(image, (1, 3, 12, 16))
    return net.model()


@KINDS.add()
def a_tap_that_is_cut() -> onnx.ModelProto:
    """A sum that a convolution reads, and a crop: onnx2tf computes it for the convolution alone."""
    net = Net()
    x = net.conv(net.input(), 3, 4, stride=2)
    total = net.op("Add", x, net.conv(x, 4, 4, 1))
    crop = net.op("Slice", total, net.whole(1), net.whole(7), net.whole(3))
    net.output(net.reshape(net.conv(crop, 4, 3, 1), 1, 3, 36), (1, 3, 36))
    net.output(net.conv(total, 4, 3, 1), (1, 3, 6, 8))
    return net.model()


@KINDS.add()
def five_axes() -> onnx.ModelProto:
    """Anchors on an axis of their own: 1 x 3 x 6 x 8 x 2, as YOLOv5 has it."""
    net = Net()
    x = net.reshape(net.conv(net.input(), 3, 6, stride=2), 1, 3, 2, 6, 8)
    net.output(net.op("Transpose", x, perm=[0, 1, 3, 4, 2]), (1, 3, 6, 8, 2))
    net.output(x, (1, 3, 2, 6, 8))
    return net.model()


@KINDS.add()
def scalars() -> onnx.ModelProto:
    """A gain that goes in, a total that comes out: neither has an axis."""
    net = Net()
    gain = net.input("gain", ())
    x = net.op("Mul", net.conv(net.input(), 3, 4, stride=2), gain)
    net.output(x, (1, 4, 6, 8))
    net.output(net.op("ReduceMean", x, keepdims=0), ())
    return net.model()
