"""Kinds that no TFLite file can hold, or that are not the project's to convert: the refusal says
which operator it is, and what can be done.
"""

import numpy as np
import onnx

from tests.cases.network import FLOAT, INT64, Kinds, Net

KINDS = Kinds()


@KINDS.add(says=("QuantizeLinear", "is quantised", "from before its quantisation"))
def quantised() -> onnx.ModelProto:
    """QDQ, as ONNX Runtime's quantiser writes it."""
    net = Net()
    scale, zero = net.constant(0.05), net.constant(3, np.int8)
    x = net.op("QuantizeLinear", net.input(), scale, zero)
    x = net.op("DequantizeLinear", x, scale, zero)
    net.output(net.conv(x, 3, 4, stride=2), (1, 4, 6, 8))
    return net.model()


def with_nms() -> onnx.ModelProto:
    net = Net()
    x = net.conv(net.input(), 3, 5, stride=2)
    boxes, scores = net.op("Split", net.reshape(x, 1, 5, 48), net.whole(4, 1), axis=1, count=2)
    boxes = net.op("Transpose", boxes, perm=[0, 2, 1])
    limits = net.whole(5), net.constant([0.5]), net.constant([0.2])
    kept = net.op("NonMaxSuppression", boxes, scores, *limits)
    net.output(kept, ("boxes", 3), INT64)
    return net.model()


@KINDS.add(says=("NonMaxSuppression", "--cut"))
def suppression_of_boxes() -> onnx.ModelProto:
    """How many boxes are left, no shape can tell."""
    return with_nms()


@KINDS.add("--cut", "Transpose_3", "--cut", "Split_2_1")
def suppression_of_boxes_cut_off() -> onnx.ModelProto:
    """The same network, ended where the refusal says."""
    return with_nms()


@KINDS.add(says=("mmdeploy", "MMCVModulatedDeformConv2d", "--cut"))
def an_operator_of_another_domain() -> onnx.ModelProto:
    net = Net()
    x = net.conv(net.input(), 3, 4, stride=2)
    x = net.op("MMCVModulatedDeformConv2d", x, domain="mmdeploy")
    net.output(x, (1, 4, 6, 8))
    return net.model(mmdeploy=1)


@KINDS.add(says=("Loop", "--cut"))
def a_loop_that_the_input_decides() -> onnx.ModelProto:
    """Its trip count is computed from the image."""
    from onnx import helper

    from tests.cases.network import BOOL

    net = Net()
    x = net.conv(net.input(), 3, 4, stride=2)
    count = net.op("Cast", net.op("ReduceMax", x, keepdims=0), to=INT64)
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes_on"]),
            helper.make_node("Relu", ["state"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", INT64, []),
            helper.make_tensor_value_info("going", BOOL, []),
            helper.make_tensor_value_info("state", FLOAT, (1, 4, 6, 8)),
        ],
        [
            helper.make_tensor_value_info("goes_on", BOOL, []),
            helper.make_tensor_value_info("next", FLOAT, (1, 4, 6, 8)),
        ],
    )
    looped = net.op("Loop", count, net.constant(True, np.bool_), x, body=body)
    net.output(looped, (1, 4, 6, 8))
    return net.model()


@KINDS.add(says=("opset 6", "opset 7 to 23"))
def an_opset_that_is_too_old() -> onnx.ModelProto:
    net = Net(opset=6, ir=3)
    net.output(net.conv(net.input(), 3, 4, stride=2), (1, 4, 6, 8))
    return net.model()


@KINDS.add(says=("dynamic shape", "--input-shape series=1,?,7"))
def a_size_that_is_not_known() -> onnx.ModelProto:
    net = Net()
    x = net.op("MatMul", net.input("series", ("N", "T", 7)), net.noise(7, 3))
    net.output(x, ("N", "T", 3))
    return net.model()
