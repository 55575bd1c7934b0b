"""The places where padding matters: every convolution and pooling of a canonical graph."""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import prod

import onnx_ir as ir

from mmdet2tflite.errors import ModelError
from mmdet2tflite.geometry import Axis, resolve_auto_pad
from mmdet2tflite.graph.edit import constant, describe, integer, integers, is_op, shape_of, string

WINDOW_OPERATORS = ("Conv", "MaxPool", "AveragePool")


class WindowKind(StrEnum):
    """What a window does with padded rows: add zeros, never pick them, or average over them."""

    CONV = "Conv"
    MAX_POOL = "MaxPool"
    AVERAGE_POOL = "AveragePool"
    """Padding is not counted (``count_include_pad=0``), as in TensorFlow."""
    AVERAGE_POOL_OF_ZEROS = "AveragePool with count_include_pad"


@dataclass(frozen=True)
class WindowOperator:
    """One convolution or pooling over two spatial axes.

    Args:
        node: the operator; ``node.inputs[0]`` is N x C x H x W.
        kind: what the operator does with padding.
        height, width: the geometry of both axes.
        multiplications: of one inference; 0 for a pooling.
        widenable: whether zero taps can be added: a convolution whose weights are constant.
    """

    node: ir.Node
    kind: WindowKind
    height: Axis
    width: Axis
    multiplications: int
    widenable: bool

    @property
    def name(self) -> str:
        """The node's name, unique in a canonical graph."""
        return str(self.node.name)

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Height, width."""
        return self.height, self.width

    @property
    def is_same(self) -> bool:
        """TensorFlow's SAME computes the same numbers on both axes."""
        return (
            all(axis.is_same for axis in self.axes)
            and self.kind != WindowKind.AVERAGE_POOL_OF_ZEROS
        ) or self.is_valid

    @property
    def is_valid(self) -> bool:
        """No window reaches outside the input, and none starts after its beginning."""
        return all(axis.begin == axis.effective_end == axis.crop == 0 for axis in self.axes)

    def flip(self, height: bool, width: bool) -> "WindowOperator":
        """The geometry with the named axes flipped; the node is untouched."""
        return replace(
            self,
            height=self.height.flip() if height else self.height,
            width=self.width.flip() if width else self.width,
        )


def find_window_operators(graph: ir.Graph) -> list[WindowOperator]:
    """Every 2-D ``Conv``, ``MaxPool`` and ``AveragePool``, in the graph's order.

    Convolutions over one or three spatial axes are left out: no strategy touches them.

    Raises:
        ModelError: a shape is not static, or the attributes contradict each other.
    """
    return [
        _window_operator(node)
        for node in graph
        if is_op(node, *WINDOW_OPERATORS) and len(shape_of(_input(node))) == 4
    ]


def _input(node: ir.Node) -> ir.Value:
    value = node.inputs[0]
    assert value is not None
    return value


def _window_operator(node: ir.Node) -> WindowOperator:
    try:
        height, width = _axes(node)
    except ModelError as error:
        raise ModelError(f"{describe(node)}: {error.found}", error.expected, error.remedy) from None
    kernel = node.inputs[1] if node.op_type == "Conv" else None
    output = prod(shape_of(node.outputs[0]))
    return WindowOperator(
        node,
        _kind(node),
        height,
        width,
        multiplications=0 if kernel is None else output * prod(shape_of(kernel)[1:]),
        widenable=constant(kernel) is not None,
    )


def _kind(node: ir.Node) -> WindowKind:
    if node.op_type == "AveragePool" and integer(node, "count_include_pad", 0):
        return WindowKind.AVERAGE_POOL_OF_ZEROS
    return WindowKind(node.op_type)


def _axes(node: ir.Node) -> tuple[Axis, Axis]:
    sizes = shape_of(_input(node))[2:]
    if node.op_type == "Conv":
        kernel_value = node.inputs[1]
        assert kernel_value is not None
        kernels = shape_of(kernel_value)[2:]
    else:
        kernels = integers(node, "kernel_shape", ())
    strides = integers(node, "strides", (1, 1))
    dilations = integers(node, "dilations", (1, 1))
    pads = integers(node, "pads", (0, 0, 0, 0))
    mode = string(node, "auto_pad", "NOTSET")
    found = []
    for i in (0, 1):
        begin, end = resolve_auto_pad(
            mode, sizes[i], kernels[i], strides[i], dilations[i], (pads[i], pads[i + 2])
        )
        found.append(
            Axis(
                size=sizes[i],
                kernel=kernels[i],
                stride=strides[i],
                dilation=dilations[i],
                begin=begin,
                end=end,
            )
        )
    return found[0], found[1]
