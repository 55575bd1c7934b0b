"""Kinds of operators that hold others, or do the same many times: loops, branches, recurrence."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.cases.network import BOOL, FLOAT, INT64, MAP, Kinds, Net, stem

KINDS = Kinds()


@KINDS.add()
def a_loop_of_three() -> onnx.ModelProto:
    """A trip count that is constant."""
    net = Net()
    x = stem(net)
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes_on"]),
            helper.make_node("Mul", ["state", "half"], ["halved"]),
            helper.make_node("Add", ["halved", x], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", INT64, []),
            helper.make_tensor_value_info("going", BOOL, []),
            helper.make_tensor_value_info("state", FLOAT, MAP),
        ],
        [
            helper.make_tensor_value_info("goes_on", BOOL, []),
            helper.make_tensor_value_info("next", FLOAT, MAP),
        ],
        [numpy_helper.from_array(np.float32(0.5), "half")],
    )
    count, going = net.constant(3, np.int64), net.constant(True, np.bool_)
    net.output(net.op("Loop", count, going, x, body=body), MAP)
    return net.model()


@KINDS.add()
def a_scan_over_rows() -> onnx.ModelProto:
    """The running sum of a sequence."""
    net = Net()
    rows = net.op(
        "Transpose", net.op("ReduceMean", stem(net), axes=[2], keepdims=0), perm=[2, 0, 1]
    )
    body = helper.make_graph(
        [
            helper.make_node("Add", ["sum", "row"], ["more"]),
            helper.make_node("Identity", ["more"], ["each"]),
        ],
        "body",
        [helper.make_tensor_value_info(name, FLOAT, [1, 4]) for name in ("sum", "row")],
        [helper.make_tensor_value_info(name, FLOAT, [1, 4]) for name in ("more", "each")],
    )
    start = net.constant(np.zeros((1, 4)))
    last, every = net.op("Scan", start, rows, count=2, body=body, num_scan_inputs=1)
    net.output(last, (1, 4))
    net.output(every, (8, 1, 4))
    return net.model()


@KINDS.add()
def a_branch_by_shape() -> onnx.ModelProto:
    """``If`` on a static shape, as ``torch.squeeze`` exports it."""
    net = Net()
    x = net.op("ReduceMean", stem(net), axes=[2], keepdims=1)
    side = net.op("Gather", net.op("Shape", x), net.constant(2, np.int64), axis=0)
    condition = net.op("Equal", side, net.constant(1, np.int64))
    bodies = {
        "then_branch": [helper.make_node("Squeeze", [x, net.whole(2)], ["squeezed"])],
        "else_branch": [helper.make_node("Identity", [x], ["kept"])],
    }
    graphs = {
        name: helper.make_graph(
            nodes, name, [], [helper.make_tensor_value_info(nodes[-1].output[0], FLOAT, None)]
        )
        for name, nodes in bodies.items()
    }
    net.output(net.op("If", condition, **graphs), (1, 4, 8))
    return net.model()


@KINDS.add()
def lstm() -> onnx.ModelProto:
    """A text recogniser: columns of a map, both ways, then a fully connected layer."""
    net = Net()
    rows = net.op("ReduceMean", stem(net), axes=[2], keepdims=0)
    sequence = net.op("Transpose", rows, perm=[2, 0, 1])
    weights = net.noise(2, 20, 4), net.noise(2, 20, 5), net.noise(2, 40)
    states, last, _ = net.op(
        "LSTM", sequence, *weights, count=3, hidden_size=5, direction="bidirectional"
    )
    x = net.reshape(net.op("Transpose", states, perm=[0, 2, 1, 3]), 8, 1, 10)
    net.output(net.op("MatMul", x, net.noise(10, 7)), (8, 1, 7))
    net.output(last, (2, 1, 5))
    return net.model()


@KINDS.add()
def gru() -> onnx.ModelProto:
    """Both definitions of its reset gate; one runs backwards."""
    net = Net()
    rows = net.op("ReduceMean", stem(net), axes=[2], keepdims=0)
    sequence = net.op("Transpose", rows, perm=[2, 0, 1])
    for reset, direction in ((0, "forward"), (1, "reverse")):
        weights = net.noise(1, 15, 4), net.noise(1, 15, 5), net.noise(1, 30)
        how = {"hidden_size": 5, "linear_before_reset": reset, "direction": direction}
        states, last = net.op("GRU", sequence, *weights, count=2, **how)
        net.output(states, (8, 1, 1, 5))
        net.output(last, (1, 1, 5))
    return net.model()
