"""Ends of random networks: maps as they are, predictions in a row, scores.

A few sums over a whole map may cancel and leave nothing but rounding errors, so only exact maps are
averaged or fully connected.
"""

import numpy as np

from tests.graph.network_builder import OFTEN, WEIGHTS, Builder, Head, Map, Output
from tests.graph.network_pointwise import convolve_1x1, global_pool


def a_map(net: Builder, random: np.random.Generator, x: Map) -> Output:
    return Output(x.name, 4, x.exact)


def downsampled(net: Builder, random: np.random.Generator, x: Map) -> Output:
    """3x3 with stride 2 and pads 1: on an even size, a reason to turn the network round."""
    weights = random.choice(WEIGHTS, (2, x.channels, 3, 3))
    x = net.room(x, 18 * x.channels)
    name = net.node("Conv", [x.name, net.floats(weights)], strides=[2, 2], pads=[1, 1, 1, 1])
    sizes = [(size + 1) // 2 for size in x.size]
    return a_map(net, random, Map(name, 2, *sizes, x.bound * 18 * x.channels, x.fraction))


def predictions(net: Builder, random: np.random.Generator, x: Map) -> Output:
    """As YOLO: 1x1 convolutions of one or two levels, pixels in a row, levels behind each other."""
    levels, exact = [x], True
    if random.random() < OFTEN:
        levels.append(net.maps[random.integers(len(net.maps))])
    last = random.random() < OFTEN
    rows = []
    for level in levels:
        level = convolve_1x1(net, random, level, 3)
        exact &= level.exact
        if last:
            moved = net.node("Transpose", [level.name], perm=[0, 2, 3, 1])
            rows.append(net.reshape(moved, -1, 3))
        else:
            rows.append(net.reshape(level.name, 3, level.height * level.width))
    name = rows[0] if len(rows) == 1 else net.node("Concat", rows, axis=1 if last else 2)
    if not last and random.random() < OFTEN:
        name = net.node("Transpose", [name], perm=[0, 2, 1])
    return Output(name, 3, exact)


def flattened(net: Builder, random: np.random.Generator, x: Map) -> Output:
    """``Flatten`` or ``Reshape``, alone or with a fully connected layer."""
    features = x.channels * x.height * x.width
    connected = x.exact and random.random() < OFTEN
    if connected:
        x = net.room(x, 2 * features)
    flat = net.node("Flatten", [x.name], axis=1) if random.random() < OFTEN else None
    return _connect(net, random, flat or net.reshape(x.name, -1), x, features if connected else 0)


def pooled(net: Builder, random: np.random.Generator, x: Map) -> Output:
    """As a classifier: global pooling, ``Flatten`` and a fully connected layer."""
    if not x.exact:
        return a_map(net, random, x)
    x = net.room(global_pool(net, random, x), 2 * x.channels)
    return _connect(net, random, net.node("Flatten", [x.name]), x, x.channels)


def _connect(net: Builder, random: np.random.Generator, flat: str, x: Map, features: int) -> Output:
    if not features:
        return Output(flat, 2, x.exact)
    exact = x.exact and x.bound * features * 2 * 2**x.fraction <= 2**24
    if random.random() < OFTEN:
        weights = net.floats(random.choice(WEIGHTS, (3, features)))
        name = net.node("Gemm", [flat, weights, net.floats([1.0, 2, 3])], transB=1)
    else:
        name = net.node("MatMul", [flat, net.floats(random.choice(WEIGHTS, (features, 3)))])
    return Output(name, 2, exact)


def averaged(net: Builder, random: np.random.Generator, x: Map) -> Output:
    """Over both spatial axes or one of them; without them, or with sides of 1."""
    if not x.exact:
        return a_map(net, random, x)
    axes = [[2, 3], [2], [3], [-1]][random.integers(4)]
    keep = random.random() < OFTEN
    return Output(net.reduce("ReduceMean", x.name, axes, keep), 4 if keep else 4 - len(axes), False)


def scores(net: Builder, random: np.random.Generator, x: Map) -> Output:
    """Softmax over channels; below opset 13 it takes everything behind its axis as one."""
    x = net.gentle(x)
    if net.opset < 13:
        x = global_pool(net, random, x)
    return Output(net.node("Softmax", [x.name], axis=1), 4, False)


HEADS: dict[str, Head] = {
    "a_map": a_map,
    "downsampled": downsampled,
    "predictions": predictions,
    "flattened": flattened,
    "pooled": pooled,
    "averaged": averaged,
    "scores": scores,
}
