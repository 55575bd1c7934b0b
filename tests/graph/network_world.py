"""Layers of random networks that exporters write and few detectors have: loops, gates, kernels
that are computed, recurrences. Only ``draws`` has them: a strategy may have to refuse them.
"""

from dataclasses import replace
from math import inf

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.graph.network_builder import OFTEN, WEIGHTS, Builder, Layer, Map
from tests.graph.network_pointwise import global_pool

UNROLLED = 12
"""The longest sequence of a recurrence, the most steps of a loop."""


def loop(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """A constant number of steps; each adds one and, sometimes, takes the positive part."""
    steps = int(random.integers(1, 4))
    nodes = [
        helper.make_node("Identity", ["going"], ["goes_on"]),
        helper.make_node("Add", ["state", "one"], ["more"]),
        helper.make_node("Relu" if random.random() < OFTEN else "Identity", ["more"], ["next"]),
    ]
    inputs = [
        helper.make_tensor_value_info("step", TensorProto.INT64, []),
        helper.make_tensor_value_info("going", TensorProto.BOOL, []),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
    ]
    outputs = [
        helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
        helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
    ]
    one = numpy_helper.from_array(np.float32(1), "one")
    body = helper.make_graph(nodes, "body", inputs, outputs, [one])
    count = net.constant(np.int64(steps))
    name = net.node("Loop", [count, net.constant(np.bool_(True)), x.name], body=body)
    return replace(x, name=name, bound=x.bound + steps)


def branch(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """``If`` whose condition is constant, as ``torch.squeeze`` exports it."""
    bodies = {}
    for side, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        value = helper.make_tensor_value_info(f"{side}_{len(net.nodes)}", TensorProto.FLOAT, None)
        nodes = [helper.make_node(op, [x.name], [value.name])]
        bodies[side] = helper.make_graph(nodes, side, [], [value])
    condition = net.constant(np.bool_(random.random() < OFTEN))
    return replace(x, name=net.node("If", [condition], **bodies))


def recurrence(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Along the width, as text recognisers have it; the result is added to every row."""
    if x.width > UNROLLED or x.channels > 4:
        return None
    x = net.scaled(x, 2)
    op, gates = [("LSTM", 4), ("GRU", 3), ("RNN", 1)][random.integers(3)]
    both = int(random.integers(1, 3))
    hidden = x.channels
    rows = net.reduce("ReduceMax", x.name, [2], keep=False)
    sequence = net.node("Transpose", [rows], perm=[2, 0, 1])
    shapes = [(both, gates * hidden, hidden)] * 2
    weights = [net.floats(random.normal(0, 0.5, shape)) for shape in shapes]
    if random.random() < OFTEN:
        weights.append(net.floats(random.normal(0, 0.5, (both, 2 * gates * hidden))))
    how = {"linear_before_reset": int(random.integers(2))} if op == "GRU" else {}
    direction = "bidirectional" if both == 2 else str(random.choice(["forward", "reverse"]))
    states = net.node(op, [sequence, *weights], hidden_size=hidden, direction=direction, **how)
    states = net.reduce("ReduceMax", states, [1], keep=False)
    row = net.node("Transpose", [states], perm=[1, 2, 0])
    name = net.node("Add", [x.name, net.unsqueeze(row, 2)])
    return replace(x, name=name, bound=x.bound + 1, fraction=inf)


def gelu(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """The operator of opset 20, or the error function by itself."""
    x = net.gentle(x)
    if net.opset >= 20:
        kind = str(random.choice(["none", "tanh"]))
        return replace(x, name=net.node("Gelu", [x.name], approximate=kind), fraction=inf)
    scaled = net.node("Div", [x.name, net.floats(2**0.5)])
    erf = net.node("Add", [net.node("Erf", [scaled]), net.floats(1)])
    half = net.node("Mul", [x.name, net.floats(0.5)])
    return replace(x, name=net.node("Mul", [half, erf]), fraction=inf)


def computed_kernel(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """A depthwise convolution whose weights are the map's own maxima, as trackers have it."""
    x = net.scaled(x, 4)
    size = int(random.integers(1, 4))
    if min(x.size) < size:
        return None
    taps = random.choice(WEIGHTS, (1, 1, size, size))
    peak = net.node("GlobalMaxPool", [x.name])
    kernels = net.node("Mul", [peak, net.floats(taps)])
    moved = net.node("Transpose", [kernels], perm=[1, 0, 2, 3])
    stride = int(random.integers(1, 3))
    pad = int(random.integers(0, size))
    name = net.node(
        "Conv",
        [x.name, moved],
        group=x.channels,
        kernel_shape=[size, size],
        strides=[stride, stride],
        pads=[pad] * 4,
    )
    sizes = [(side + 2 * pad - size) // stride + 1 for side in x.size]
    bound = x.bound * x.bound * 2 * size**2
    return Map(name, x.channels, *sizes, bound, 2 * x.fraction)


def chunks(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """``Split`` by a number of outputs, the last of them smaller."""
    if net.opset < 18 or x.channels < 2:
        return None
    count = int(random.integers(2, min(x.channels, 3) + 1))
    side = -(-x.channels // count)
    if side * (count - 1) >= x.channels:
        return None
    names = net.node("Split", [x.name], count, axis=1, num_outputs=count)
    if random.random() < OFTEN:
        return replace(x, name=names[0], channels=side)
    return replace(x, name=names[-1], channels=x.channels - side * (count - 1))


def backwards(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Rows, columns or channels from the last to the first, or every second of them."""
    if net.opset < 10:
        return None
    axis, step = int(random.integers(1, 4)), -int(random.integers(1, 4))
    lowest = int(np.iinfo(np.int32).min)
    name = net.slice(x.name, [-1], [lowest], [axis], [step])
    shape = list(x.shape)
    shape[axis - 1] = len(range(shape[axis - 1] - 1, -1, step))
    return Map(name, *shape, x.bound, x.fraction)


def where(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """One of two maps, by a comparison that no rounding decides."""
    if not x.exact:
        return None
    op = str(random.choice(["Greater", "Less", "Equal"]))
    if net.opset < 11 and op == "Equal":
        op = "Greater"
    mask = net.node(op, [x.name, net.floats(1)])
    other = net.floats(random.choice(WEIGHTS, (x.channels, 1, 1)))
    return replace(x, name=net.node("Where", [mask, x.name, other]), bound=x.bound + 2)


def einsum(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """A 1x1 convolution written as a sum."""
    if net.opset < 12:
        return None
    x = net.room(x, 2 * x.channels)
    weights = random.choice(WEIGHTS, (int(random.integers(1, 9)), x.channels))
    operands = [x.name, net.floats(weights)]
    name = net.node("Einsum", operands, equation="bchw,oc->bohw")
    return replace(x, name=name, channels=len(weights), bound=x.bound * 2 * x.channels)


def euclidean(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """Every pixel by the length of its vector, kept away from zero."""
    x = net.gentle(x)
    squares = net.node("Mul", [x.name, x.name])
    length = net.node(
        "Sqrt",
        [
            net.node(
                "Add",
                [
                    global_pool(
                        net, random, replace(x, name=squares, bound=x.bound**2, fraction=inf)
                    ).name,
                    net.floats(1),
                ],
            )
        ],
    )
    return replace(x, name=net.node("Div", [x.name, length]), fraction=inf)


WORLD: dict[str, Layer] = {
    each.__name__: each
    for each in (
        loop,
        branch,
        recurrence,
        gelu,
        computed_kernel,
        chunks,
        backwards,
        where,
        einsum,
        euclidean,
    )
}
