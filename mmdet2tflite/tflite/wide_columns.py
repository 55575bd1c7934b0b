"""Integer convolutions of few channels and a stride read several columns as one, which is quicker.

A map of H x W x C (NHWC) *is*, number by number in memory, one of H x W/s x sC: s columns side by
side are one column with s times the channels. A convolution that steps s columns at a time steps
one at a time on that wide map and computes the same. With k taps along the columns, pads (b, e),
n outputs and weights w:

1. Tap t of output i reads column i·s - b + t. Let t - b = q·s + r, 0 <= r < s: that is column i + q
   of the wide map, channels r·C to r·C + C - 1. So w'[q + b', r·C + c] = w[t, c]; taps that no t
   reaches are zero.
2. The first q is -b' with b' = ceil(b / s), the new pad at the beginning; the last one is
   q' = floor((k - 1 - b) / s). The new pad at the end is what the last output reaches past the last
   column, n - 1 + q' - (W/s - 1). Rows keep kernel, stride and pads.
3. The pads are written SAME or VALID where that means them, and else by a PAD where there was one
   before: a PAD in front of the convolution is taken in. Convolutions whose pads cannot be written
   stay as they are, and those with a padding flag, whose pads stand elsewhere.
4. Other readers of the map and of the PAD still find them.
5. Worth it where it makes the kernels' work smaller. XNNPACK's int8 kernels read eight channels at
   once and fill up with zeros, so that a tap of 3 channels costs what one of 8 does. Taps times
   channels, filled up, have to fall to 0.8 or less: YOLOX's 6x6 of 3 channels from 288 to 144 (6x3
   of 6), a 3x3 from 72 to 48 (3x2 of 6).
6. Where other kernels than XNNPACK's will run, zero taps are multiplications like any others: then
   none may be added. A 6x6 gets none, a 3x3 a quarter of its taps.

Nothing is rounded anew: integers come out the same to the last bit.

Sources: the arithmetic is rule 3 of geometry.py; ``kr`` of the int8 kernels is 8 in XNNPACK's
gemm-config.c for x86, and 8 or 4 for Arm.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mmdet2tflite.geometry import Axis, same_pads
from mmdet2tflite.tflite.flatbuffer import (
    constant,
    copy_tensor,
    new_constant,
    new_operator,
    operator_name,
)
from mmdet2tflite.tflite.moves import new_reshape, shape_of
from mmdet2tflite.tflite.unused import drop_unused_tensors, empty_unused
from mmdet2tflite.tflite.windows import Window, window_of

CHANNELS_AT_ONCE = 8
WORTH = 0.8
"""Of the work before (rule 5)."""

type Kernel = NDArray[np.int8]
"""O x kH x kW x C."""


def widen_columns(
    model: schema.ModelT, leave: Collection[str] = (), *, zero_taps: bool = True
) -> int:
    """Let the int8 convolutions of the main graph that gain by it read wide columns, in place.

    Names of inputs and outputs and of what a convolution writes stay.

    Args:
        leave: tensors whose writers stay as they are (those with a padding flag).
        zero_taps: whether a kernel may get any (rule 6).

    Returns:
        How many convolutions were changed.
    """
    graph, sites = model.subgraphs[0], []
    for operator in graph.operators:
        left = graph.tensors[operator.outputs[0]].name.decode() in leave
        site = None if left else _find_site(model, operator)
        if site is not None and (zero_taps or site.kernel.size == site.weights):
            sites.append(site)
    if sites:
        rewriter = _Rewriter(model)
        for site in sites:
            rewriter.widen(site)
        rewriter.finish()
    return len(sites)


@dataclass(frozen=True)
class _Site:
    """A convolution that gains.

    Args:
        pad: the PAD that it reads, if it does.
        source: the map that it reads, in front of the PAD.
        rows, columns: as the convolution pads and steps, PAD included.
        wide: the columns of the wide map.
        kernel: for the wide map.
        weights: how many it had before.
    """

    operator: schema.OperatorT
    pad: schema.OperatorT | None
    source: int
    rows: Axis
    columns: Axis
    wide: Axis
    kernel: Kernel
    weights: int

    @property
    def padding(self) -> str:
        """How the pads are written: SAME, VALID or PAD (rule 3)."""
        axes = self.rows, self.wide
        if not any(axis.begin or axis.effective_end for axis in axes):
            return "VALID"
        return "SAME" if all(axis.is_same for axis in axes) else "PAD"


def _find_site(model: schema.ModelT, operator: schema.OperatorT) -> _Site | None:
    """Rules 1 to 3 and 5; None for an operator that stays as it is."""
    window = window_of(model, operator)
    kernel = _kernel(model, operator)
    if window is None or kernel is None or window.dilation[1] != 1:
        return None
    pad = None if window.same else _pad_before(model, int(operator.inputs[0]))
    source = int(operator.inputs[0] if pad is None else pad.inputs[0])
    _, *sizes, channels = shape_of(model.subgraphs[0], source)
    stride = window.stride[1]
    if stride == 1 or sizes[1] % stride or channels != kernel.shape[3]:
        return None
    pads = _pads_of(model, pad, window, sizes)
    rows, columns = (
        Axis(
            size=sizes[i],
            kernel=window.kernel[i],
            stride=window.stride[i],
            dilation=window.dilation[i],
            begin=pads[i][0],
            end=pads[i][1],
        )
        for i in (0, 1)
    )
    wide, merged = merge_taps(columns, kernel)
    site = _Site(operator, pad, source, rows, columns, wide, merged, kernel.size)
    if site.padding == "PAD" and pad is None:
        return None
    return site if _work(merged) <= WORTH * _work(kernel) else None


def _kernel(model: schema.ModelT, operator: schema.OperatorT) -> Kernel | None:
    """The weights of an int8 CONV_2D, in which 0 stands for zero."""
    if operator_name(model, operator) != "CONV_2D":
        return None
    maps, weights = (model.subgraphs[0].tensors[index] for index in operator.inputs[:2])
    values = constant(model, weights)
    if maps.type != schema.TensorType.INT8 or values is None or values.dtype != np.int8:
        return None
    return None if np.any(weights.quantization.zeroPoint) else values.astype(np.int8, copy=False)


def _pad_before(model: schema.ModelT, index: int) -> schema.OperatorT | None:
    """The PAD that writes a tensor, if it pads rows and columns of a map and nothing else."""
    for operator in model.subgraphs[0].operators:
        if index in operator.outputs and operator_name(model, operator) == "PAD":
            table = constant(model, model.subgraphs[0].tensors[operator.inputs[1]])
            known = table is not None and table.shape == (4, 2) and not table[[0, 3]].any()
            return operator if known else None
    return None


def _pads_of(
    model: schema.ModelT, pad: schema.OperatorT | None, window: Window, sizes: list[int]
) -> list[tuple[int, int]]:
    """Of rows and columns: what a PAD says, else what the convolution says."""
    if pad is not None:
        table = constant(model, model.subgraphs[0].tensors[pad.inputs[1]])
        assert table is not None  # ``_pad_before`` has looked
        return [(int(begin), int(end)) for begin, end in table[1:3]]
    if not window.same:
        return [(0, 0), (0, 0)]
    return [
        same_pads(sizes[i], window.kernel[i], window.stride[i], window.dilation[i]) for i in (0, 1)
    ]


def merge_taps(columns: Axis, kernel: Kernel) -> tuple[Axis, Kernel]:
    """Rules 1 and 2.

    Args:
        columns: of the map; its size is a multiple of the stride s.
        kernel: O x kH x k x C.

    Returns:
        The columns of the wide map, and the kernel for it, O x kH x k' x sC.
    """
    stride = columns.stride
    before = -(-columns.begin // stride)
    last = (columns.kernel - 1 - columns.begin) // stride
    size = columns.size // stride
    outputs, height, _, channels = kernel.shape
    taps = np.zeros((outputs, height, before + last + 1, stride, channels), kernel.dtype)
    for tap in range(columns.kernel):
        block, place = divmod(tap - columns.begin, stride)
        taps[:, :, block + before, place] = kernel[:, :, tap]
    wide = Axis(size=size, kernel=before + last + 1, begin=before, end=columns.output + last - size)
    return wide, taps.reshape(outputs, height, before + last + 1, stride * channels)


def _work(kernel: Kernel) -> int:
    """Taps times channels, filled up (rule 5)."""
    _, height, width, channels = kernel.shape
    return height * width * -(-channels // CHANNELS_AT_ONCE) * CHANNELS_AT_ONCE


class _Rewriter:
    """Changes convolutions; those that read one map share what becomes of it."""

    def __init__(self, model: schema.ModelT) -> None:
        self._model, self._graph = model, model.subgraphs[0]
        self._made: dict[tuple[int, ...], int] = {}
        self._passed: list[schema.OperatorT] = []
        self._kernels: set[int] = set()

    def widen(self, site: _Site) -> None:
        """Change one convolution."""
        operator, options = site.operator, site.operator.builtinOptions
        read = self._padded(site) if site.padding == "PAD" else self._wide(site)
        old = self._graph.tensors[operator.inputs[1]]
        name = old.name.decode() + "_wide"
        kernel = new_constant(self._model, name, site.kernel, old.quantization)
        operator.inputs = np.array([read, kernel, *operator.inputs[2:]], np.int32)
        options.strideW = 1
        options.padding = schema.Padding.SAME if site.padding == "SAME" else schema.Padding.VALID
        self._kernels.add(int(old.buffer))
        if site.pad is not None:
            self._passed.append(site.pad)

    def finish(self) -> None:
        """Drop what nothing reads any more."""
        graph = self._graph
        read = {int(index) for each in graph.operators for index in each.inputs}
        read |= {int(index) for index in graph.outputs}
        unread = {id(pad) for pad in self._passed if int(pad.outputs[0]) not in read}
        graph.operators = [each for each in graph.operators if id(each) not in unread]
        drop_unused_tensors(self._model)
        empty_unused(self._model, self._kernels)

    def _wide(self, site: _Site) -> int:
        """The wide map."""
        key = site.source, site.columns.stride
        if key not in self._made:
            batch, height, _, channels = shape_of(self._graph, site.source)
            shape = batch, height, site.wide.size, channels * site.columns.stride
            wide = copy_tensor(self._graph, site.source, "_wide", shape)
            self._insert(site, new_reshape(self._model, site.source, wide))
            self._made[key] = wide
        return self._made[key]

    def _padded(self, site: _Site) -> int:
        """The wide map with a PAD behind it."""
        wide = self._wide(site)
        rows, columns = ((axis.begin, axis.end) for axis in (site.rows, site.wide))
        key = wide, *rows, *columns
        if key not in self._made:
            table = np.array([(0, 0), rows, columns, (0, 0)], np.int32)
            sides = np.array(shape_of(self._graph, wide)) + table.sum(axis=1)
            padded = copy_tensor(self._graph, wide, "_padded", sides)
            operands = [wide, new_constant(self._model, "pads", table)]
            # Version 2 is the first of integers (GetBuiltinOperatorVersion in TensorFlow Lite's
            # op_version.cc).
            kind, options = schema.BuiltinOperator.PAD, schema.PadOptionsT()
            self._insert(site, new_operator(self._model, kind, 2, options, operands, padded))
            self._made[key] = padded
        return self._made[key]

    def _insert(self, site: _Site, operator: schema.OperatorT) -> None:
        """In front of the convolution."""
        operators = self._graph.operators
        place = next(n for n, each in enumerate(operators) if each is site.operator)
        operators.insert(place, operator)
