"""Chooses the padding mode of every window operator, and writes it so that converters know it.

1. VALID: no pads. SAME: ``auto_pad=SAME_UPPER``, never pads that a converter would have to
   recognise. PAD: pads, which become one PAD operator before a VALID one.
2. Pads that no window reaches are dropped: PAD has the effective ones.
3. A crop (rows that a flipped axis skips) is a Slice before the operator, with or without pads.
4. Widening adds zero taps to the kernel, ``before`` and ``after`` along each axis.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from mmdet2tflite.geometry import Axis, Widening, same_output
from mmdet2tflite.graph.edit import constant, new_constant, new_node, shape_of
from mmdet2tflite.graph.rewriting import PaddingDecision, PaddingMode
from mmdet2tflite.graph.window_operators import WindowKind, WindowOperator

SPATIAL = (2, 3)

type ChoosePadding = Callable[[WindowOperator], PaddingDecision]


def choose_and_write(
    windows: list[WindowOperator], choose: ChoosePadding
) -> tuple[PaddingDecision, ...]:
    """Choose for every window operator, and write what was chosen."""
    decisions = tuple(choose(window) for window in windows)
    for decision in decisions:
        write_padding(decision)
    return decisions


def choose_explicit(window: WindowOperator) -> PaddingDecision:
    """VALID or SAME where they compute the same; PAD (or, without any pad, a crop) elsewhere."""
    if window.is_valid:
        return PaddingDecision(window, PaddingMode.VALID)
    if window.is_same:
        return PaddingDecision(window, PaddingMode.SAME)
    padded = any(axis.begin or axis.effective_end for axis in window.axes)
    padding_mode = PaddingMode.PAD if padded else PaddingMode.CROPPED
    return PaddingDecision(window, padding_mode, reason=_why_not_same(window))


def choose_widened(window: WindowOperator) -> PaddingDecision:
    """As ``choose_explicit``, but a convolution is widened where that makes it SAME."""
    decision = choose_explicit(window)
    if decision.padding_mode not in (PaddingMode.PAD, PaddingMode.CROPPED):
        return decision
    height, width = (axis.widening() for axis in window.axes)
    if not window.widenable or height is None or width is None:
        reason = f"{decision.reason}; {_why_not_widened(window)}"
        return replace(decision, reason=reason)
    rows, columns = (
        axis.kernel + sum(w) for axis, w in zip(window.axes, (height, width), strict=True)
    )
    taps = window.height.kernel * window.width.kernel
    extra = window.multiplications // taps * (rows * columns - taps)
    return PaddingDecision(window, PaddingMode.WIDENED, (height, width), extra, decision.reason)


def choose_forced(window: WindowOperator) -> PaddingDecision:
    """SAME wherever it has the right number of outputs, whatever it computes."""
    decision = choose_explicit(window)
    if decision.padding_mode == PaddingMode.PAD and all(_same_size(axis) for axis in window.axes):
        return PaddingDecision(window, PaddingMode.FORCED, reason=decision.reason)
    return decision


def write_padding(decision: PaddingDecision) -> None:
    """Write a decision into its node."""
    node = decision.window.node
    for name in ("auto_pad", "pads"):
        node.attributes.pop(name, None)
    if decision.padding_mode == PaddingMode.WIDENED:
        _widen(node, decision.widening)
    if decision.padding_mode in (PaddingMode.SAME, PaddingMode.WIDENED, PaddingMode.FORCED):
        node.attributes.add(ir.AttrString("auto_pad", "SAME_UPPER"))
        return
    _crop(decision.window)
    if decision.padding_mode == PaddingMode.PAD:
        height, width = decision.window.axes
        pads = (height.begin, width.begin, height.effective_end, width.effective_end)
        if any(pads):
            node.attributes.add(ir.AttrInt64s("pads", pads))


def _widen(node: ir.Node, widening: tuple[Widening, Widening]) -> None:
    kernel = constant(node.inputs[1])
    graph = node.graph
    assert kernel is not None  # only a widenable window is widened
    assert isinstance(graph, ir.Graph)
    wider = np.pad(kernel, ((0, 0), (0, 0), *widening))
    node.replace_input_with(1, new_constant(graph, f"{node.name}_wider", wider))
    node.attributes.add(ir.AttrInt64s("kernel_shape", wider.shape[2:]))


def _crop(window: WindowOperator) -> None:
    starts = [axis.crop for axis in window.axes]
    if not any(starts):
        return
    node, value = window.node, window.node.inputs[0]
    graph = node.graph
    assert value is not None
    assert isinstance(graph, ir.Graph)
    shape = shape_of(value)
    slices = (starts, [axis.size for axis in window.axes], SPATIAL)
    operands = [
        new_constant(graph, f"{node.name}_crop_{name}", np.array(numbers, np.int64))
        for name, numbers in zip(("starts", "ends", "axes"), slices, strict=True)
    ]
    rows, columns = (axis.size - axis.crop for axis in window.axes)
    crop = new_node(
        "Slice",
        [value, *operands],
        name=f"{node.name}_crop",
        like=value,
        shape=[*shape[:2], rows, columns],
    )
    graph.insert_before(node, crop)
    node.replace_input_with(0, crop.outputs[0])


def _same_size(axis: Axis) -> bool:
    return axis.output == same_output(axis.size, axis.stride)


def _why_not_same(window: WindowOperator) -> str:
    if window.kind == WindowKind.AVERAGE_POOL_OF_ZEROS:
        return "TensorFlow's average pooling does not count padding, this one does"
    for name, axis in zip(("rows", "columns"), window.axes, strict=True):
        if not _same_size(axis):
            same = same_output(axis.size, axis.stride)
            return f"SAME has {same} {name} of output, this has {axis.output}"
    if any(axis.crop for axis in window.axes):
        return "its first rows or columns are skipped, which SAME cannot"
    return "SAME puts the padding elsewhere"


def _why_not_widened(window: WindowOperator) -> str:
    if window.kind != WindowKind.CONV:
        return "a pooling cannot be widened with zeros"
    if not window.widenable:
        return "its weights are computed, not constant"
    if not all(_same_size(axis) for axis in window.axes):
        return "no larger kernel changes that"
    return "its dilation is coarser than the row to make up for"
