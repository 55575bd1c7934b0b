"""Normalises operators that ONNX lets be written in several ways, for converters know not all."""

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import (
    constant,
    describe,
    integer,
    is_op,
    new_constant,
    new_node,
    redirect,
    shape_of,
    static_shape,
)
from mmdet2tflite.graph.passes.reporting import ReportingPass

BROADCASTING = (
    *("Add", "Div", "Max", "Min", "Mod", "Mul", "Pow", "Sub", "Where"),
    *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"),
    *("And", "Or", "Xor"),
)
RELU_BOUNDS, NEARLY = (-1.0, 0.0, 1.0, 6.0), 1e-6
"""Where onnx2tf 2.6.9 (``build_clip_op``) takes a Clip for a RELU, RELU6 or RELU_N1_TO_1."""


class NormaliseOperators(ReportingPass):
    """Operators are written in the form that needs no further rule to be read.

    1. A constant operand of an elementwise operator has the rank of the output, with leading ones:
       onnx2tf leaves ``(W,)`` and ``(H, W)`` as they are when it transposes maps to N x H x W x C.
    2. ``Pad`` names the pads of every axis and has no ``axes``, which onnx2tf does not read.
    3. A constant of one element stays: it means the same in every layout.
    4. ``Split`` names the sizes of its parts and has no ``num_outputs`` (opset 18), which onnx2tf
       does not read where they differ.
    5. ``Reshape`` names every side that it keeps by a 0: what onnx2tf makes of 0 and -1 together
       does not run in XNNPACK, behind a Transpose.
    6. A ``Clip`` at a number that is nearly 0, 1 or 6 (``torch.nn.functional.normalize``: 1e-12) is
       a ``Max`` and a ``Min``: onnx2tf writes a RELU, and a division by its result gives NaN. So
       it does for a ``Max`` whose second operand is such a number: it becomes the first.
    7. ``Flatten`` is a ``Reshape``: of maps whose width is C, onnx2tf writes it with other sides.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if is_op(node, "Max"):
                self._put_bound_first(node)
            if is_op(node, *BROADCASTING):
                self._give_full_rank(model.graph, node)
            elif is_op(node, "Pad"):
                self._name_every_axis(model.graph, node)
            elif is_op(node, "Split"):
                self._name_sizes(model.graph, node)
            elif is_op(node, "Reshape"):
                self._name_sides(model.graph, node)
            elif is_op(node, "Clip"):
                self._name_bounds(model.graph, node)
            elif is_op(node, "Flatten"):
                self._write_as_reshape(model.graph, node)

    def _give_full_rank(self, graph: ir.Graph, node: ir.Node) -> None:
        """Rules 1 and 3."""
        shape = static_shape(node.outputs[0])
        if shape is None:
            return
        for index, value in enumerate(node.inputs):
            array = constant(value)
            if value is None or array is None or array.size == 1 or array.ndim == len(shape):
                continue
            full = array.reshape([1] * (len(shape) - array.ndim) + list(array.shape))
            node.replace_input_with(index, new_constant(graph, str(value.name), full))
            self.changed(f"wrote the operand {value.name} of {describe(node)} as {full.shape}")

    def _name_every_axis(self, graph: ir.Graph, node: ir.Node) -> None:
        """Rule 2."""
        if len(node.inputs) < 4 or node.inputs[3] is None:
            return
        shape, given, axes = node.outputs[0].shape, *map(constant, node.inputs[1:4:2])
        if shape is None or given is None or axes is None:
            return
        pads = np.zeros((2, len(shape)), np.int64)
        pads[:, axes] = given.reshape(2, -1)
        node.replace_input_with(1, new_constant(graph, f"{node.name}_pads", pads.ravel()))
        node.resize_inputs(3)
        self.changed(f"wrote {describe(node)} without axes")

    def _name_sizes(self, graph: ir.Graph, node: ir.Node) -> None:
        """Rule 4."""
        if "num_outputs" not in node.attributes:
            return
        axis = integer(node, "axis", 0)
        sizes = np.array([shape_of(output)[axis] for output in node.outputs], np.int64)
        node.resize_inputs(2)
        node.replace_input_with(1, new_constant(graph, f"{node.name}_sizes", sizes))
        node.attributes.pop("num_outputs")
        self.changed(f"wrote {describe(node)} with the sizes {sizes.tolist()}")

    def _name_sides(self, graph: ir.Graph, node: ir.Node) -> None:
        """Rule 5."""
        target, shape = constant(node.inputs[1]), static_shape(node.outputs[0])
        if target is None or shape is None or (target != 0).all() or 0 in shape:
            return
        sides = np.array(shape, np.int64)
        node.replace_input_with(1, new_constant(graph, f"{node.name}_sides", sides))
        self.changed(f"wrote the shape of {describe(node)} as {sides.tolist()}")

    def _name_bounds(self, graph: ir.Graph, node: ir.Node) -> None:
        """Rule 6."""
        value, *bounds = node.inputs
        assert value is not None
        if not any(_is_nearly_a_relus(bound) for bound in bounds):
            return
        for op_type, bound in zip(("Max", "Min"), bounds, strict=False):
            if bound is not None:
                name, shape = f"{node.name}_{op_type.lower()}", shape_of(value)
                step = new_node(op_type, [bound, value], name=name, like=value, shape=shape)
                graph.insert_before(node, step)
                value = step.outputs[0]
        self.changed(f"wrote {describe(node)} as maxima and minima")
        redirect(node.outputs[0], value)
        graph.remove(node, safe=True)

    def _put_bound_first(self, node: ir.Node) -> None:
        """Rule 6."""
        if len(node.inputs) == 2 and _is_nearly_a_relus(node.inputs[1]):
            first, second = node.inputs
            node.replace_input_with(0, second)
            node.replace_input_with(1, first)
            self.changed(f"put the constant of {describe(node)} first")

    def _write_as_reshape(self, graph: ir.Graph, node: ir.Node) -> None:
        """Rule 7."""
        shape = static_shape(node.outputs[0])
        if shape is None:
            return
        self.changed(f"wrote {describe(node)} as a Reshape to {list(shape)}")
        node.op_type = "Reshape"
        node.attributes.clear()
        node.resize_inputs(2)
        sides = new_constant(graph, f"{node.name}_sides", np.array(shape, np.int64))
        node.replace_input_with(1, sides)


def _is_nearly_a_relus(bound: ir.Value | None) -> bool:
    array = constant(bound)
    if array is None or array.dtype.kind != "f" or array.size != 1:
        return False
    distances = [abs(array.item() - each) for each in RELU_BOUNDS]
    return 0 < min(distances) <= NEARLY
