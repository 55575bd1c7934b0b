"""Layers of random networks that mix or pick whole rows: attention, reductions, Gather, Tile."""

from dataclasses import replace
from math import inf

import numpy as np

from tests.graph.network_builder import OFTEN, SOMETIMES, WEIGHTS, Builder, Layer, Map
from tests.graph.network_windows import LARGEST, MOST_CHANNELS


def _along(x: Map, axis: int, side: int, name: str) -> Map:
    """``x`` with another side; axis 1 to 3."""
    shape = list(x.shape)
    shape[axis - 1] = side
    return Map(name, *shape, x.bound, x.fraction)


def split_rows(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Into two or three parts along height or width; one goes on, one may be read later."""
    axis = int(random.integers(2, 4))
    size = x.size[axis - 2]
    if size < 4:
        return None
    cuts = np.sort(random.choice(np.arange(1, size), int(random.integers(1, 3)), replace=False))
    parts = np.diff([0, *cuts, size]).tolist()
    if net.opset >= 18 and random.random() < SOMETIMES:
        parts = [-(-size // 2), size // 2]
        names = net.node("Split", [x.name], 2, axis=axis, num_outputs=2)
    else:
        names = net.split(x.name, parts, axis)
    maps = [_along(x, axis, *pair) for pair in zip(parts, names, strict=True)]
    first, second = random.permutation(len(maps))[:2]
    net.maps.append(maps[first])
    return maps[second]


def gather(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """Some positions of any axis, in any order, some twice, some counted from the end."""
    axis = int(random.integers(1, 4))
    size = x.shape[axis - 1]
    picked = random.integers(-size, size, int(random.integers(1, size + 1)))
    name = net.node("Gather", [x.name, net.integers(picked)], axis=axis)
    return _along(x, axis, len(picked), name)


def tile(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    axis = int(random.integers(1, 4))
    side = 2 * x.shape[axis - 1]
    if side > (MOST_CHANNELS if axis == 1 else LARGEST):
        return None
    repeats = [1, 1, 1, 1]
    repeats[axis] = 2
    return _along(x, axis, side, net.node("Tile", [x.name, net.integers(repeats)]))


def _reduced(net: Builder, random: np.random.Generator, x: Map, axis: int) -> Map:
    """To a size of 1; ``Unsqueeze`` after a reduction that drops the axis."""
    keep = random.random() < OFTEN
    name = net.reduce("ReduceMax", x.name, [axis], keep)
    return _along(x, axis, 1, name if keep else net.unsqueeze(name, axis))


def strip(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """Every row or column with its own maximum, as strip pooling has it."""
    axis = int(random.integers(2, 4))
    pooled = _reduced(net, random, x, axis)
    if random.random() < OFTEN:
        sides = net.integers([1, 1, *x.size])
        pooled = replace(x, name=net.node("Expand", [pooled.name, sides]))
    name = net.node("Add", [x.name, pooled.name])
    return replace(x, name=name, bound=2 * x.bound)


def line(net: Builder, random: np.random.Generator, x: Map) -> Map:
    return _reduced(net, random, x, int(random.integers(1, 4)))


def matmul(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """Columns mixed by constant weights."""
    weights = random.choice(WEIGHTS, (x.width, int(random.integers(1, 9))))
    x = net.room(x, 2 * x.width)
    name = net.node("MatMul", [x.name, net.floats(weights)])
    return replace(_along(x, 3, weights.shape[1], name), bound=2 * x.width * x.bound)


def pixel_sequence(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """A fully connected layer on every pixel, in a row as transformers have them."""
    x = net.room(x, 2 * x.channels)
    weights = random.choice(WEIGHTS, (x.channels, int(random.integers(1, MOST_CHANNELS + 1))))
    pixels = net.node("Transpose", [net.reshape(x.name, x.channels, -1)], perm=[0, 2, 1])
    mixed = net.node("MatMul", [pixels, net.floats(weights)])
    moved = net.node("Transpose", [mixed], perm=[0, 2, 1])
    name = net.reshape(moved, weights.shape[1], *x.size)
    return replace(_along(x, 1, weights.shape[1], name), bound=2 * x.channels * x.bound)


def attention(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Of every pixel to every other."""
    if x.height * x.width > 100:
        return None
    x = net.scaled(x, 1)
    pixels = net.reshape(x.name, x.channels, -1)
    turned = net.node("Transpose", [pixels], perm=[0, 2, 1])
    weights = net.node("Softmax", [net.node("MatMul", [turned, pixels])], axis=2)
    name = net.reshape(net.node("MatMul", [pixels, weights]), *x.shape)
    return replace(x, name=name, bound=x.bound * x.height * x.width, fraction=inf)


def softmax(net: Builder, random: np.random.Generator, x: Map) -> Map:
    x = net.gentle(x)
    axis = int(random.choice([1, 2, 3, -1]))
    return replace(x, name=net.node("Softmax", [x.name], axis=axis), bound=1, fraction=inf)


def normalisation(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """Over pixels, over neighbouring channels, over the last axes. A large epsilon: the division
    magnifies no rounding error."""
    kind = int(random.integers(3 if net.opset >= 17 else 2))
    if kind == 0:
        weights = [net.floats(random.choice(WEIGHTS, x.channels)) for _ in range(2)]
        name = net.node("InstanceNormalization", [x.name, *weights], epsilon=1.0)
    elif kind == 1:
        name = net.node("LRN", [x.name], size=3)
    else:
        axis = int(random.integers(1, 4))
        weights = [net.floats(random.choice(WEIGHTS, x.shape[axis - 1 :])) for _ in range(2)]
        name = net.node("LayerNormalization", [x.name, *weights], axis=axis, epsilon=1.0)
    return replace(x, name=name, bound=4 * x.bound + 2, fraction=inf)


def position_of_maximum(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Where rounding cannot decide. Integers often have several maxima."""
    if not x.exact:
        return None
    axis = int(random.integers(1, 4))
    last = {"select_last_index": 1} if net.opset >= 12 and random.random() < OFTEN else {}
    found = net.node("ArgMax", [x.name], axis=axis, **last)
    found = net.node("Cast", [found], to=1)
    return replace(_along(x, axis, 1, found), bound=LARGEST, fraction=0)


def pairs_of_rows(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Their maximum, or the rows of each pair behind each other, by way of five axes."""
    if x.height % 2:
        return None
    parts = net.reshape(x.name, x.channels, x.height // 2, 2, x.width)
    if random.random() < OFTEN:
        name = net.reduce("ReduceMax", parts, [3], keep=False)
        return _along(x, 2, x.height // 2, name)
    moved = net.node("Transpose", [parts], perm=[0, 1, 3, 2, 4])
    return replace(x, name=net.reshape(moved, *x.shape))


MIXING: dict[str, Layer] = {
    "split_rows": split_rows,
    "gather": gather,
    "tile": tile,
    "strip": strip,
    "line": line,
    "matmul": matmul,
    "pixel_sequence": pixel_sequence,
    "attention": attention,
    "softmax": softmax,
    "normalisation": normalisation,
    "position_of_maximum": position_of_maximum,
    "pairs_of_rows": pairs_of_rows,
}
