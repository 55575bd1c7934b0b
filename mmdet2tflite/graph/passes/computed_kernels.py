"""A convolution whose weights are computed, which TFLite has none of, becomes a MatMul."""

from itertools import product
from math import prod

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import (
    constant,
    describe,
    insert_pad,
    insert_slice,
    integer,
    integers,
    is_op,
    new_constant,
    new_node,
    redirect,
    shape_of,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass


class SpellOutComputedKernels(ReportingPass):
    """``Conv`` with computed weights → weights · columns, as correlation heads need it.

    1. The weights, O x C/g x kernel, become g matrices of O/g rows: the taps in order, the channels
       of the group within each tap. Without taps beside one they are reshaped only.
    2. The map, padded with zeros, falls into the groups' channels; each tap is a Slice of it, with
       the stride and the dilation. Their Concat, flattened, are the columns, in the same order.
    3. One product an output and position; a bias is added. Nothing else is computed twice.
    4. Left as it is: groups and a batch at once, which need a rank that TFLite lacks.

    The weights of a tracker (the template of SiamFC, depthwise) or of a dynamic head (RTMDet-Ins,
    CondInst: 1x1) are such. Requires explicit pads.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if not is_op(node, "Conv") or constant(node.inputs[1]) is not None:
                continue
            value = node.inputs[0]
            assert value is not None
            if integer(node, "group", 1) > 1 and shape_of(value)[0] > 1:
                self.left(node, "its weights are computed, and it has groups and a batch")
                continue
            redirect(node.outputs[0], _Writer(model.graph, node).product())
            model.graph.remove(node, safe=True)
            self.changed(f"wrote {describe(node)}, whose weights are computed, as a MatMul")


class _Writer:
    """The nodes in the place of one convolution."""

    def __init__(self, graph: ir.Graph, node: ir.Node) -> None:
        self._graph, self._node = graph, node
        value, weights = node.inputs[:2]
        assert value is not None
        assert weights is not None
        self._value, self._weights = value, weights
        self._groups = integer(node, "group", 1)
        self._kernel = shape_of(weights)[2:]
        ones = [1 for _ in self._kernel]
        self._strides = integers(node, "strides", ones)
        self._dilations = integers(node, "dilations", ones)
        self._output = shape_of(node.outputs[0])

    def product(self) -> ir.Value:
        """Rules 1 to 3."""
        matrices, columns = self._matrices(), self._columns()
        batch, rows, _ = shape_of(columns)[0], *shape_of(matrices)[1:]
        shape = (batch, rows, shape_of(columns)[2])
        found = self._add("MatMul", "product", [matrices, columns], shape)
        found = self._reshape(found, "map", self._output)
        bias = self._node.inputs[2] if len(self._node.inputs) > 2 else None
        if bias is None:
            return found
        bias = self._reshape(bias, "bias", (1, self._output[1], *(1 for _ in self._kernel)))
        return self._add("Add", "sum", [found, bias], self._output)

    def _matrices(self) -> ir.Value:
        """Rule 1."""
        outputs, channels = shape_of(self._weights)[:2]
        value, taps = self._weights, prod(self._kernel)
        if taps > 1 and channels > 1:
            value = self._reshape(value, "taps", (outputs, channels, taps))
            order = {"perm": ir.AttrInt64s("perm", (0, 2, 1))}
            shape = (outputs, taps, channels)
            value = self._add("Transpose", "taps_first", [value], shape, order)
        shape = (self._groups, outputs // self._groups, taps * channels)
        return self._reshape(value, "weights", shape)

    def _columns(self) -> ir.Value:
        """Rule 2."""
        value = self._padded()
        _, channels, *sides = shape_of(value)
        if self._groups > 1:
            shape = (self._groups, channels // self._groups, *sides)
            value = self._reshape(value, "groups", shape)
        shifted = [
            self._shifted(value, taps) for taps in product(*(range(side) for side in self._kernel))
        ]
        shape = (*shape_of(value)[:1], len(shifted) * shape_of(value)[1], *self._output[2:])
        if len(shifted) > 1:
            axis = {"axis": ir.AttrInt64("axis", 1)}
            value = self._add("Concat", "columns", shifted, shape, axis)
        else:
            (value,) = shifted
        return self._reshape(value, "flat", (*shape[:2], prod(self._output[2:])))

    def _padded(self) -> ir.Value:
        axes = len(self._kernel)
        pads = integers(self._node, "pads", [0] * 2 * axes)
        if not any(pads):
            return self._value
        return insert_pad(self._node, self._value, f"{self._node.name}_pad", pads, 0.0)

    def _shifted(self, value: ir.Value, taps: tuple[int, ...]) -> ir.Value:
        positions = {}
        for i, tap in enumerate(taps):
            first = tap * self._dilations[i]
            last = first + (self._output[i + 2] - 1) * self._strides[i]
            read = range(first, last + 1, self._strides[i])
            if read != range(shape_of(value)[i + 2]):
                positions[i + 2] = read
        if not positions:
            return value
        name = f"{self._node.name}_tap_{'_'.join(map(str, taps))}"
        return insert_slice(self._node, value, name, positions)

    def _reshape(self, value: ir.Value, what: str, shape: tuple[int, ...]) -> ir.Value:
        if shape_of(value) == shape:
            return value
        sizes = new_constant(self._graph, f"{self._node.name}_{what}", np.array(shape, np.int64))
        return self._add("Reshape", what, [value, sizes], shape)

    def _add(
        self,
        op_type: str,
        what: str,
        inputs: list[ir.Value],
        shape: tuple[int, ...],
        attributes: dict[str, ir.Attr] | None = None,
    ) -> ir.Value:
        name = f"{self._node.name}_{what}"
        step = new_node(op_type, inputs, attributes, name=name, like=self._value, shape=shape)
        self._graph.insert_before(self._node, step)
        return step.outputs[0]
