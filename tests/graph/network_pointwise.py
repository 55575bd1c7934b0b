"""Layers of random networks that look at no neighbour: activations, arithmetic, normalisation."""

from dataclasses import replace
from math import inf, log2

import numpy as np

from tests.graph.network_builder import OFTEN, SOMETIMES, WEIGHTS, Builder, Layer, Map


def batch_norm(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """Half of them scale by powers of two, so that folding them changes no bit."""
    x, channels = net.room(x, 32), x.channels
    epsilon = 2.0**-10
    mean, bias = random.integers(-3, 4, (2, channels))
    if random.random() < OFTEN:
        variance = random.choice([0.25, 1, 4], channels) - epsilon
        scale, fraction = random.choice([-2, -0.5, 0.5, 1, 2], channels), x.fraction + 2
    else:
        variance, scale = random.uniform(0.5, 2, channels), random.uniform(-2, 2, channels)
        fraction = inf
    numbers = [net.floats(each) for each in (scale, bias, mean, variance)]
    name = net.node("BatchNormalization", [x.name, *numbers], epsilon=epsilon)
    return replace(x, name=name, bound=4 * (x.bound + 3) + 3, fraction=fraction)


def relu(net: Builder, random: np.random.Generator, x: Map) -> Map:
    return replace(x, name=net.node("Relu", [x.name]))


def leaky_relu(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """With one slope, or one per channel."""
    if random.random() < OFTEN:
        name = net.node("LeakyRelu", [x.name], alpha=0.25)
    else:
        slopes = random.choice([-0.25, 0.25, 0.5], (x.channels, 1, 1))
        name = net.node("PRelu", [x.name, net.floats(slopes)])
    return replace(x, name=name, fraction=x.fraction + 2)


def clip(net: Builder, random: np.random.Generator, x: Map) -> Map:
    low, high = [(0, 6), (-20, 20), (None, 10), (-5, None)][random.integers(4)]
    return replace(x, name=net.clip(x.name, low, high))


def sigmoid(net: Builder, random: np.random.Generator, x: Map) -> Map:
    x = net.gentle(x)
    op_type = str(random.choice(["Sigmoid", "Tanh", "Softplus"]))
    return replace(x, name=net.node(op_type, [x.name]), bound=x.bound + 1, fraction=inf)


def hard_sigmoid(net: Builder, random: np.random.Generator, x: Map) -> Map:
    x = net.gentle(x)
    name = net.node("HardSigmoid", [x.name], alpha=0.25, beta=0.5)
    return replace(x, name=name, bound=1, fraction=x.fraction + 2)


def swish(net: Builder, random: np.random.Generator, x: Map) -> Map:
    x = net.gentle(x)
    if net.opset >= 14 and random.random() < OFTEN:
        name = net.node("HardSwish", [x.name])
    else:
        name = net.node("Mul", [x.name, net.node("Sigmoid", [x.name])])
    return replace(x, name=name, fraction=inf)


def with_constant(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """A constant per channel, per pixel, per row, per column, for everything."""
    channels, height, width = x.shape
    shapes = [
        (1, channels, 1, 1),
        (1, channels, height, width),
        (height, width),
        (1, 1, height, 1),
        (width,),
        (),
    ]
    number = np.asarray(random.choice(WEIGHTS, shapes[random.integers(6)]))
    op_type = str(random.choice(["Add", "Mul", "Sub", "Max"]))
    operands = [x.name, net.floats(number)]
    if random.random() < SOMETIMES:
        operands.reverse()
    return replace(x, name=net.node(op_type, operands), bound=2 * x.bound + 2)


def residual(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """With any earlier map of the shape, or one that broadcasts to it, or a convolution of it."""
    shapes = (x.shape, (1, *x.size), (x.channels, 1, 1))
    others = [y for y in net.maps if y.shape in shapes and y.name != x.name]
    if not others:
        others = [convolve_1x1(net, random, x, x.channels)]
    y = others[random.integers(len(others))]
    op_type = str(random.choice(["Add", "Add", "Mul", "Sub"]))
    if op_type == "Mul":
        x, y = net.room(x, 16), net.room(y, x.bound)
        bound, fraction = x.bound * y.bound, x.fraction + y.fraction
    else:
        bound, fraction = x.bound + y.bound, max(x.fraction, y.fraction)
    operands = [x.name, y.name] if random.random() < OFTEN else [y.name, x.name]
    return replace(x, name=net.node(op_type, operands), bound=bound, fraction=fraction)


def squeeze_excite(net: Builder, random: np.random.Generator, x: Map) -> Map:
    pooled = global_pool(net, random, x)
    gate = hard_sigmoid(net, random, convolve_1x1(net, random, pooled, x.channels))
    x = net.room(x, 1)
    name = net.node("Mul", [x.name, gate.name])
    return replace(x, name=name, fraction=x.fraction + gate.fraction)


def global_pool(net: Builder, random: np.random.Generator, x: Map) -> Map:
    op_type = ["GlobalAveragePool", "GlobalMaxPool", "ReduceMean"][random.choice([0, 0, 1, 2])]
    if op_type == "ReduceMean":
        name = net.reduce(
            "ReduceMean", x.name, [2, 3] if random.random() < OFTEN else [-1, -2], keep=True
        )
    else:
        name = net.node(op_type, [x.name])
    share = log2(x.height * x.width)
    averaged = x.fraction + share if share.is_integer() else inf
    fraction = x.fraction if op_type == "GlobalMaxPool" else averaged
    return Map(name, x.channels, 1, 1, x.bound, fraction)


def convolve_1x1(net: Builder, random: np.random.Generator, x: Map, outputs: int) -> Map:
    x = net.room(x, 2 * x.channels)
    weights = random.choice(WEIGHTS, (outputs, x.channels, 1, 1))
    name = net.node("Conv", [x.name, net.floats(weights)])
    return replace(x, name=name, channels=outputs, bound=2 * x.channels * x.bound)


POINTWISE: dict[str, Layer] = {
    "relu": relu,
    "leaky_relu": leaky_relu,
    "clip": clip,
    "sigmoid": sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "swish": swish,
    "batch_norm": batch_norm,
    "with_constant": with_constant,
    "residual": residual,
    "squeeze_excite": squeeze_excite,
    "global_pool": global_pool,
}
