"""Layers of random networks that slide a window: convolutions and poolings."""

from dataclasses import dataclass, replace
from math import ceil, inf, log2, prod

import numpy as np

from tests.graph.network_builder import OFTEN, RARELY, SOMETIMES, WEIGHTS, Builder, Layer, Map
from tests.graph.network_pointwise import batch_norm, relu

MOST_CHANNELS = 8
LARGEST = 40


@dataclass(frozen=True)
class Window:
    """One axis of a convolution or pooling."""

    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int
    output: int


def _span(kernel: int, dilation: int) -> int:
    return (kernel - 1) * dilation + 1


def _window(
    random: np.random.Generator, size: int, *, dilated: bool, pooling: bool, ceiling: bool = False
) -> Window | None:
    """Half of the windows are padded as PyTorch users do, (K - 1) // 2 on both sides.

    Every window of a pooling reads something: what ONNX Runtime makes of nothing is no one's
    business.
    """
    kernel = int(random.integers(1, 8))
    stride = int(random.choice([1, 1, 2, 2, 3]) if size > 4 else 1)
    dilation = int(random.integers(1, 4)) if dilated else 1
    span = _span(kernel, dilation)
    if random.random() < OFTEN:
        begin = end = (span - 1) // 2
    else:
        begin, end = (int(pad) for pad in random.integers(0, min(span, 4), 2))
    if pooling:
        begin, end = min(begin, kernel - 1), min(end, kernel - 1)
    rows = size + begin + end - span
    if rows < 0:
        return None
    output = (ceil(rows / stride) if ceiling else rows // stride) + 1
    # PyTorch drops a window that starts in the end pad; ONNX's shape inference counts it.
    if ceiling and (output - 1) * stride >= size + begin:
        return None
    taps = np.arange(output)[:, None] * stride + np.arange(kernel) * dilation - begin
    reads = ((taps >= 0) & (taps < size)).any(axis=1)
    if pooling and not reads.all():
        return None
    return Window(kernel, stride, dilation, begin, end, output)


def _attributes(windows: list[Window], dilated: bool) -> dict[str, list[int]]:
    attributes = {
        "kernel_shape": [each.kernel for each in windows],
        "strides": [each.stride for each in windows],
        "pads": [each.begin for each in windows] + [each.end for each in windows],
    }
    if dilated:
        attributes["dilations"] = [each.dilation for each in windows]
    return attributes


def _automatic(random: np.random.Generator, windows: list[Window], x: Map) -> tuple[dict, list]:
    """``auto_pad`` in place of pads, and the sizes that it gives."""
    mode = random.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
    if mode == "VALID":
        pairs = zip(x.size, windows, strict=True)
        sizes = [(size - _span(w.kernel, w.dilation)) // w.stride + 1 for size, w in pairs]
    else:
        sizes = [ceil(size / w.stride) for size, w in zip(x.size, windows, strict=True)]
    return {"auto_pad": str(mode)}, sizes


def _groups(random: np.random.Generator, channels: int) -> int:
    """1, depthwise, or any divisor."""
    divisors = [group for group in range(1, channels + 1) if channels % group == 0]
    return int(random.choice([1, channels, random.choice(divisors)]))


def conv(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Any kernel, or one of those that detectors have."""
    dilated = random.random() < SOMETIMES
    windows = [_window(random, size, dilated=dilated, pooling=False) for size in x.size]
    if None in windows:
        return None
    if random.random() < SOMETIMES:
        windows[1] = _window_like(windows[0], x.width)
        if windows[1] is None:
            return None
    return convolve(net, random, x, windows)


def _window_like(window: Window, size: int) -> Window | None:
    rows = size + window.begin + window.end - _span(window.kernel, window.dilation)
    return None if rows < 0 else replace(window, output=rows // window.stride + 1)


def conv_of_detectors(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """3x3 with stride 2 and pads 1, and its relations."""
    kernel, stride = [(3, 2), (3, 2), (1, 2), (5, 2), (7, 2), (3, 1), (1, 1), (6, 2), (4, 2)][
        random.integers(9)
    ]
    pad = (kernel - 1) // 2
    windows = [_window_like(Window(kernel, stride, 1, pad, pad, 0), size) for size in x.size]
    return None if None in windows else convolve(net, random, x, windows)


def convolve(
    net: Builder, random: np.random.Generator, x: Map, windows: list, groups: int = 0
) -> Map | None:
    """A convolution of these windows; random groups if their number is 0."""
    group = groups or _groups(random, x.channels)
    outputs = group * int(random.integers(0, max(1, MOST_CHANNELS // group)) + 1)
    kernels = [each.kernel for each in windows]
    weights = random.choice(WEIGHTS, (outputs, x.channels // group, *kernels))
    attributes: dict = _attributes(windows, any(each.dilation > 1 for each in windows))
    sizes = [each.output for each in windows]
    if random.random() < RARELY * 2:
        automatic, sizes = _automatic(random, windows, x)
        dilated = "dilations" in attributes and automatic["auto_pad"] != "VALID"
        if min(sizes) < 1 or dilated:  # ONNX Runtime has no SAME for dilated kernels
            return None
        del attributes["pads"]
        attributes |= automatic
    if random.random() < OFTEN:
        del attributes["kernel_shape"]  # which the weights tell, too
    growth = float(np.abs(weights).sum((1, 2, 3)).max())
    x = net.room(x, growth)
    inputs = [x.name, net.floats(weights)]
    bias = random.integers(-3, 4, outputs)
    if random.random() < OFTEN:
        inputs.append(net.floats(bias))
    name = net.node("Conv", inputs, group=group, **attributes)
    return Map(name, outputs, *sizes, x.bound * growth + 3, x.fraction)


def transposed_conv(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    kernels, strides = random.integers(1, 5, 2).tolist(), random.integers(1, 4, 2).tolist()
    begins, ends = ([int(random.integers(0, k)) for k in kernels] for _ in range(2))
    extra = [int(random.integers(0, s)) for s in strides]
    sizes = [
        s * (size - 1) + o + k - b - e
        for size, s, o, k, b, e in zip(x.size, strides, extra, kernels, begins, ends, strict=True)
    ]
    if min(sizes) < 1 or max(sizes) > LARGEST:
        return None
    group = _groups(random, x.channels)
    outputs = int(random.integers(0, max(1, MOST_CHANNELS // group)) + 1)
    weights = random.choice(WEIGHTS, (x.channels, outputs, *kernels))
    growth = float(np.abs(weights).sum() / group)
    x = net.room(x, growth)
    inputs = [x.name, net.floats(weights)]
    if random.random() < OFTEN:
        inputs.append(net.floats(random.integers(-3, 4, outputs * group)))
    name = net.node(
        "ConvTranspose",
        inputs,
        group=group,
        strides=strides,
        pads=begins + ends,
        **({"output_padding": extra} if any(extra) else {}),
    )
    return Map(name, outputs * group, *sizes, x.bound * growth + 3, x.fraction)


def max_pool(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    return _pool(net, random, x, "MaxPool", net.opset >= 10)


def average_pool(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    return _pool(net, random, x, "AveragePool", net.opset >= 19)


def _pool(
    net: Builder, random: np.random.Generator, x: Map, op_type: str, dilatable: bool
) -> Map | None:
    ceiling = net.opset >= 10 and random.random() < SOMETIMES
    dilated = dilatable and random.random() < RARELY
    windows = [
        _window(random, size, dilated=dilated, pooling=True, ceiling=ceiling) for size in x.size
    ]
    if None in windows:
        return None
    attributes: dict = _attributes(windows, dilated)
    sizes = [each.output for each in windows]
    if not dilated and not ceiling and random.random() < RARELY * 2:
        automatic, sizes = _automatic(random, windows, x)
        # ONNX Runtime makes negative pads of SAME where windows have gaps between them.
        gaps = any(each.kernel < each.stride for each in windows)
        if min(sizes) < 1 or (gaps and automatic["auto_pad"] != "VALID"):
            return None
        del attributes["pads"]
        attributes |= automatic
    if ceiling:
        attributes["ceil_mode"] = 1
    fraction = x.fraction
    if op_type == "AveragePool":
        if random.random() < OFTEN:
            attributes["count_include_pad"] = 1
        share = log2(prod(each.kernel for each in windows))
        whole = share.is_integer() and not any(attributes.get("pads", [1])) and not ceiling
        fraction = fraction + share if whole else inf
    name = net.node(op_type, [x.name], **attributes)
    return Map(name, x.channels, *sizes, x.bound, fraction)


def conv_batch_norm_relu(net: Builder, random: np.random.Generator, x: Map) -> Map | None:
    """Sometimes another layer may read the convolution, too."""
    convolved = conv_of_detectors(net, random, x)
    if convolved is None:
        return None
    if random.random() < SOMETIMES:
        net.maps.append(convolved)
    return relu(net, random, batch_norm(net, random, convolved))


WINDOWED: dict[str, Layer] = {
    "conv": conv,
    "conv_of_detectors": conv_of_detectors,
    "conv_batch_norm_relu": conv_batch_norm_relu,
    "max_pool": max_pool,
    "average_pool": average_pool,
    "transposed_conv": transposed_conv,
}
