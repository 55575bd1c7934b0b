"""Layers of random networks that move pixels and channels: slices, pads, resizes, concats."""

from dataclasses import replace
from math import inf

import numpy as np

from tests.graph.network_builder import OFTEN, RARELY, SOMETIMES, Builder, Layer, Map
from tests.graph.network_pointwise import convolve_1x1, relu
from tests.graph.network_windows import (
    LARGEST,
    MOST_CHANNELS,
    Window,
    average_pool,
    conv,
    conv_of_detectors,
    convolve,
    max_pool,
)

MAXIMUM = np.iinfo(np.int64).max
RESIZES = [
    ("nearest", "asymmetric", "floor"),
    ("nearest", "asymmetric", "floor"),
    ("nearest", "half_pixel", "round_prefer_floor"),
    ("linear", "half_pixel", ""),
    ("linear", "pytorch_half_pixel", ""),
    ("linear", "align_corners", ""),
    ("linear", "asymmetric", ""),
    ("cubic", "half_pixel", ""),
    ("nearest", "asymmetric", "ceil"),
    ("nearest", "half_pixel", "ceil"),
    ("nearest", "asymmetric", "round_prefer_ceil"),
]


def strided_slice(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Along one spatial axis or both; an end may be far outside, a start negative."""
    axes = [[2], [3], [2, 3], [3, 2]][random.integers(4)]
    starts, ends, steps, sizes = [], [], [], list(x.size)
    for axis in axes:
        size = x.size[axis - 2]
        step = int(random.integers(1, 4)) if net.opset >= 10 else 1
        start = int(random.integers(0, min(size, 4)))
        end = int(random.integers(start + 1, size + 1))
        rows = range(start, end, step)
        if random.random() < OFTEN:
            rows, end = range(start, size, step), MAXIMUM
        elif random.random() < SOMETIMES:
            end = end - size if end < size else end
        if step > 1 and random.random() < RARELY:
            rows, start, end, step = range(size - 1, -1, -step), -1, -MAXIMUM, -step
        starts.append(start - size if start > 0 and random.random() < RARELY else start)
        ends.append(end)
        steps.append(step)
        sizes[axis - 2] = len(rows)
    if random.random() < RARELY:
        axes = [axis - 4 for axis in axes]
    name = net.slice(x.name, starts, ends, axes, steps)
    return Map(name, x.channels, *sizes, x.bound, x.fraction)


def focus(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Every second row and column to channels of its own, in one of the forms of exporters."""
    if x.height % 2 or x.width % 2 or x.channels > MOST_CHANNELS // 2:
        return None
    channels, (rows, columns) = 4 * x.channels, (x.height // 2, x.width // 2)
    if net.opset < 10 or random.random() < SOMETIMES:
        # (oy, ox) or (ox, oy) before the channel: mmdeploy has the latter.
        order = [[0, 5, 3, 1, 2, 4], [0, 3, 5, 1, 2, 4], [0, 1, 3, 5, 2, 4]][random.integers(3)]
        parts = net.reshape(x.name, x.channels, rows, 2, columns, 2)
        moved = net.node("Transpose", [parts], perm=order)
        return replace(
            x,
            name=net.reshape(moved, channels, rows, columns),
            channels=channels,
            height=rows,
            width=columns,
        )
    if random.random() < SOMETIMES:
        name = net.node("SpaceToDepth", [x.name], blocksize=2)
        return Map(name, channels, rows, columns, x.bound, x.fraction)
    offsets = [(0, 0), (1, 0), (0, 1), (1, 1)]
    if random.random() < RARELY:
        offsets = [offsets[i] for i in random.permutation(4)]
    at_once = random.random() < OFTEN
    names = []
    for row, column in offsets:
        if at_once:
            part = net.slice(x.name, [row, column], [MAXIMUM] * 2, [2, 3], [2, 2])
        else:
            half = net.slice(x.name, [row], [MAXIMUM], [2], [2])
            part = net.slice(half, [column], [MAXIMUM], [3], [2])
        names.append(part)
    name = net.node("Concat", names, axis=1)
    return Map(name, channels, rows, columns, x.bound, x.fraction)


def stem(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Focus and a convolution, as YOLOX and YOLOv5 begin."""
    focused = focus(net, random, x)
    if focused is None:
        return None
    kernel = int(random.choice([1, 3, 3, 5]))
    windows = []
    for size in focused.size:
        begin, end = random.integers(0, 3, 2).tolist() if random.random() < SOMETIMES else (1, 1)
        output = size + begin + end - kernel + 1
        if output < 1:
            return None
        windows.append(Window(kernel, 1, 1, begin, end, output))
    return convolve(net, random, focused, windows, groups=1)


def depth_to_space(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """After a convolution to four channels where there are not four already."""
    if max(x.size) * 2 > LARGEST:
        return None
    if x.channels % 4:
        x = convolve_1x1(net, random, x, 4)
    mode = {} if net.opset < 11 else {"mode": str(random.choice(["DCR", "CRD"]))}
    name = net.node("DepthToSpace", [x.name], blocksize=2, **mode)
    return Map(name, x.channels // 4, 2 * x.height, 2 * x.width, x.bound, x.fraction)


def pad(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Mostly zeros around the map; sometimes other values, channels of zeros, or a crop."""
    mode, value = "constant", 0
    least = -2 if random.random() < RARELY else 0
    top, left, bottom, right = random.integers(least, 4, 4).tolist()
    kind = random.random()
    if kind < SOMETIMES:
        mode = str(random.choice(["reflect", "edge"]))
        top, left, bottom, right = (max(0, each) for each in (top, left, bottom, right))
    elif kind < OFTEN:
        value = int(random.choice([-3, 1]))
    front = back = 0
    if mode == "constant" and random.random() < RARELY:
        front, back = random.integers(0, 2, 2).tolist()
    channels = x.channels + front + back
    sizes = (x.height + top + bottom, x.width + left + right)
    reflected = mode == "reflect" and (max(top, bottom) >= x.height or max(left, right) >= x.width)
    fits = min(sizes) >= 1 and max(sizes) <= LARGEST and channels <= MOST_CHANNELS
    if reflected or not fits:
        return None
    name = net.pad(x.name, [0, front, top, left, 0, back, bottom, right], mode, value)
    return Map(name, channels, *sizes, max(x.bound, abs(value)), x.fraction)


def padded_window(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Zeros around the map and a window: how PyTorch users pad as TensorFlow does."""
    if random.random() < OFTEN:
        x = relu(net, random, x)
    top, left, bottom, right = random.integers(0, 3, 4).tolist()
    name = net.pad(x.name, [0, 0, top, left, 0, 0, bottom, right], "constant", 0)
    sizes = (x.height + top + bottom, x.width + left + right)
    padded = Map(name, x.channels, *sizes, x.bound, x.fraction)
    if random.random() < SOMETIMES:
        net.maps.append(padded)
    window = [conv, conv_of_detectors, max_pool, average_pool][random.integers(4)]
    return window(net, random, padded)


def resize(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Mostly by whole factors; sometimes smaller, or by a fraction."""
    factors = [(2, 2), (3, 3), (2, 1), (1, 3), (4, 4)][random.integers(5)]
    if net.opset >= 11 and random.random() < SOMETIMES:
        factors = [(0.5, 0.5), (1.5, 1.5), (2.5, 1), (0.75, 2)][random.integers(4)]
    sizes = [int(size * factor) for size, factor in zip(x.size, factors, strict=True)]
    if max(sizes) > LARGEST or min(sizes) < 1:
        return None
    common = random.random() < OFTEN
    mode, coordinates, rounding = RESIZES[random.integers(4 if common else len(RESIZES))]
    if mode == "cubic" and net.opset < 11:
        return None
    how = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if rounding:
        how["nearest_mode"] = rounding
    name = net.resize(x, factors, random.random() < SOMETIMES, **how)
    halves = mode == "linear" and factors in ((2, 2), (2, 1)) and coordinates == "half_pixel"
    fraction = x.fraction if mode == "nearest" else x.fraction + 4 if halves else inf
    bound = x.bound * (4 if mode == "cubic" else 1)
    return Map(name, x.channels, *sizes, bound, fraction)


def nearest(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """The up-sampling of a feature pyramid."""
    if max(x.size) * 2 > LARGEST:
        return None
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    name = net.resize(x, (2, 2), random.random() < OFTEN, mode="nearest", **how)
    return Map(name, x.channels, 2 * x.height, 2 * x.width, x.bound, x.fraction)


def concat(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """On channels, with any map of its size; sometimes on height or width."""
    axis = int(random.choice([1, 1, 1, 2, 3]))
    others = [y for y in net.maps if _but(y.shape, axis) == _but(x.shape, axis)]
    y = others[random.integers(len(others))]
    pair = [x, y] if random.random() < OFTEN else [y, x]
    shape = list(x.shape)
    shape[axis - 1] += y.shape[axis - 1]
    if shape[0] > MOST_CHANNELS or max(shape[1:]) > LARGEST:
        return None
    if random.random() < RARELY:
        axis -= 4
    name = net.node("Concat", [each.name for each in pair], axis=axis)
    return Map(name, *shape, max(x.bound, y.bound), max(x.fraction, y.fraction))


def _but(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[: axis - 1] + shape[axis:]


def split(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Two parts of the channels, as in a cross-stage network; both can be read later."""
    if x.channels < 2:
        return None
    first = int(random.integers(1, x.channels))
    names = net.split(x.name, [first, x.channels - first], axis=1)
    parts = [replace(x, name=names[0], channels=first)]
    parts.append(replace(x, name=names[1], channels=x.channels - first))
    keep = int(random.integers(2))
    net.maps.append(parts[1 - keep])
    return parts[keep]


def channel_shuffle(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    groups = [group for group in range(2, x.channels) if x.channels % group == 0]
    if not groups:
        return None
    group = int(random.choice(groups))
    parts = net.reshape(x.name, group, x.channels // group, *x.size)
    shuffled = net.node("Transpose", [parts], perm=[0, 2, 1, 3, 4])
    return replace(x, name=net.reshape(shuffled, *x.shape))


def transpose(net: Builder, random: np.random.Generator, x: Map) -> Map:
    """Height and width change places."""
    name = net.node("Transpose", [x.name], perm=[0, 1, 3, 2])
    return replace(x, name=name, height=x.width, width=x.height)


def identity(net: Builder, random: np.random.Generator, x: Map) -> Map:
    return replace(x, name=net.node("Identity", [x.name]))


SPATIAL: dict[str, Layer] = {
    "identity": identity,
    "strided_slice": strided_slice,
    "focus": focus,
    "stem": stem,
    "depth_to_space": depth_to_space,
    "pad": pad,
    "padded_window": padded_window,
    "resize": resize,
    "nearest": nearest,
    "concat": concat,
    "split": split,
    "channel_shuffle": channel_shuffle,
    "transpose": transpose,
}
