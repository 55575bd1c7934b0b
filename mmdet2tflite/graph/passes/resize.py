"""A Resize that LiteRT has no kernel for becomes a Gather or a MatMul along each axis."""

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import (
    Array,
    constant,
    describe,
    integer,
    integers,
    is_op,
    new_constant,
    new_node,
    redirect,
    shape_of,
    string,
)
from mmdet2tflite.graph.evaluation import evaluate
from mmdet2tflite.graph.passes.reporting import ReportingPass
from mmdet2tflite.graph.resize_matrix import (
    HALF_PIXEL,
    Along,
    Matrix,
    bilinear,
    close,
    indices_of,
    reads,
)

CROPPING = "tf_crop_and_resize"
CUBIC = (*HALF_PIXEL, "align_corners", "asymmetric")
"""Coordinates that onnx2tf writes a cubic Resize for, by matrices of its own."""
PLAIN = {
    False: {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    True: {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"},
}
"""LiteRT's nearest kernel without and with ``half_pixel_centers``, as ONNX says it."""


class SpellOutResize(ReportingPass):
    """``Resize`` in a form that TFLite has operators for.

    1. Along one axis a Resize is a matrix, outputs by inputs. It is found by resizing the identity
       with the operator itself, whatever its mode, coordinates, rounding and antialiasing.
    2. It stays where LiteRT's kernels do the same along every axis. With the ratio r = inputs /
       outputs in float32, ``RESIZE_NEAREST_NEIGHBOR`` reads floor(o·r), or floor((o + 1/2)·r) with
       half_pixel_centers. ``RESIZE_BILINEAR`` reads around o·r, (o + 1/2)·r - 1/2, or with
       align_corners o·(inputs - 1)/(outputs - 1). So a scale that is no ratio of the two sizes
       (0.5 on 23) is none of theirs. Where one reads the same positions all the same, the sizes
       take the scales' place: the converter would round them to others (onnx2tf 2.6.9).
    3. A nearest Resize in another spelling of the same positions takes the one that LiteRT has.
    4. A cubic Resize stays where it is that of its sizes: the converter has matrices of its own.
    5. Any other nearest Resize is a ``Gather`` along each axis, any other one a ``MatMul`` by the
       matrix along rows and columns; first the axis that leaves less.
    6. Left as it is: linear and cubic along batch or channels, or of integers; an
       ``extrapolation_value`` other than 0 that shows; ``keep_aspect_ratio_policy``.

    Sources: ONNX operator specification, Resize; LiteRT, ``reference_ops::ResizeNearestNeighbor``
    and ``ResizeBilinear``.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for node in model.graph:
            if not is_op(node, "Resize"):
                continue
            if reason := _refusal(node):
                self.left(node, reason)
                continue
            found = _along_every_axis(node, model.opset_imports[""])
            if _is_native(node, found, model.opset_imports[""]):
                if _say_sizes(model.graph, node):
                    self.changed(f"wrote the sizes of {describe(node)}")
                continue
            if _respell(node, found):
                _say_sizes(model.graph, node)
                self.changed(f"wrote {describe(node)} with coordinates that LiteRT has")
            elif reason := _no_matrix(node, found):
                self.left(node, reason)
            else:
                self._replace(model.graph, node, found)

    def _replace(self, graph: ir.Graph, node: ir.Node, found: list[Along]) -> None:
        """Rule 5."""
        value = node.inputs[0]
        assert value is not None
        kinds = []
        for along in sorted(found, key=lambda along: along.count / along.size):
            step = _one_axis(graph, node, value, along)
            graph.insert_before(node, step)
            value = step.outputs[0]
            kinds.append(f"{step.op_type} along axis {along.axis}")
        redirect(node.outputs[0], value)
        graph.remove(node, safe=True)
        self.changed(f"wrote {describe(node)} as {' and '.join(kinds)}")


def _refusal(node: ir.Node) -> str:
    for index in (1, 2, 3):
        operand = node.inputs[index] if index < len(node.inputs) else None
        if operand is not None and constant(operand) is None:
            return "it computes its size"
    if string(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return "it keeps the aspect ratio"
    return ""


def _no_matrix(node: ir.Node, found: list[Along]) -> str:
    """Rule 6."""
    value, attribute = node.inputs[0], node.attributes.get("extrapolation_value")
    assert value is not None
    shows = any(not along.matrix.any(axis=1).all() for along in found)
    if attribute is not None and attribute.as_float() and shows:
        return "it fills with an extrapolation value"
    rank = len(shape_of(value))
    if all(indices_of(along) is not None for along in found):
        return ""
    if value.dtype not in (ir.DataType.FLOAT, ir.DataType.FLOAT16):
        return "it interpolates integers"
    if any(along.axis < rank - 2 for along in found):
        return "it interpolates along another axis than rows and columns"
    return ""


def _along_every_axis(node: ir.Node, opset: int) -> list[Along]:
    """Rule 1, for the axes along which something changes."""
    value = node.inputs[0]
    assert value is not None
    before, after = shape_of(value), shape_of(node.outputs[0])
    cropped = string(node, "coordinate_transformation_mode", "half_pixel") == CROPPING
    found = []
    for axis, (size, count) in enumerate(zip(before, after, strict=True)):
        if size != count or cropped or _scale(node, axis) not in (None, 1):
            found.append(Along(axis, _matrix(node, opset, axis, size, count)))
    return [along for along in found if along.changes]


def _matrix(
    node: ir.Node, opset: int, axis: int, size: int, count: int, by_sizes: bool = False
) -> Matrix:
    """Rule 1: the identity, resized along its columns as the node does along an axis."""
    scale = None if by_sizes else _scale(node, axis)
    sizes, scales, roi = None, None, None
    if scale is None:
        sizes = _operand("sizes", np.array([1, 1, size, count], np.int64))
    else:
        scales = _operand("scales", np.array([1, 1, 1, scale], np.float32))
    part = _roi(node, axis)
    if part is not None:
        roi = _operand("roi", np.array([0, 0, 0, part[0], 1, 1, 1, part[1]], np.float32))
    image = _operand("identity", np.eye(size, dtype=np.float32)[None, None])
    kept = [
        attribute
        for name, attribute in node.attributes.items()
        if name not in ("axes", "extrapolation_value")
    ]
    probe = ir.node("Resize", [image, roi, scales, sizes], name=node.name)
    for attribute in kept:
        probe.attributes.add(attribute)
    probe.outputs[0].name = "matrix"
    return np.asarray(evaluate(probe, opset)[0][0, 0].T, np.float32)


def _operand(name: str, array: Array) -> ir.Value:
    tensor = ir.tensor(array, name=name)
    shape, kind = ir.Shape(array.shape), ir.TensorType(tensor.dtype)
    return ir.Value(name=name, shape=shape, type=kind, const_value=tensor)


def _place(node: ir.Node, axis: int) -> int | None:
    """Which entry of ``scales``, ``sizes`` and ``roi`` is that of an axis; None: it stays."""
    value = node.inputs[0]
    assert value is not None
    rank = len(shape_of(value))
    axes = [each % rank for each in integers(node, "axes", range(rank))]
    return axes.index(axis) if axis in axes else None


def _scale(node: ir.Node, axis: int) -> float | None:
    """The scale that is given; None where sizes are."""
    scales = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    place = _place(node, axis)
    if scales is None or not scales.size or place is None:
        return None
    return float(scales[place])


def _roi(node: ir.Node, axis: int) -> tuple[float, float] | None:
    roi = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if roi is None or not roi.size:
        return None
    place, half = _place(node, axis), roi.size // 2
    return (0.0, 1.0) if place is None else (float(roi[place]), float(roi[place + half]))


def _is_native(node: ir.Node, found: list[Along], opset: int) -> bool:
    """Rules 2 and 4."""
    how = string(node, "coordinate_transformation_mode", "half_pixel")
    mode = string(node, "mode", "nearest")
    if integer(node, "antialias", 0) or any(along.axis < 2 for along in found):
        return False
    if mode == "nearest":
        rounding = string(node, "nearest_mode", "round_prefer_floor")
        known = {
            "asymmetric": ("floor", "round_prefer_floor"),
            "half_pixel": ("floor", "round_prefer_floor", "round_prefer_ceil"),
        }
        return rounding in known.get(how, ()) and reads(found, how == "half_pixel")
    if mode == "cubic":
        return how in CUBIC and all(
            close(
                along.matrix,
                _matrix(node, opset, along.axis, along.size, along.count, by_sizes=True),
            )
            for along in found
        )
    return how in CUBIC and all(
        close(along.matrix, bilinear(along.count, along.size, how)) for along in found
    )


def _respell(node: ir.Node, found: list[Along]) -> bool:
    """Rule 3. The converter reads the ratio of the sizes, whatever the node says."""
    if string(node, "mode", "nearest") != "nearest" or any(along.axis < 2 for along in found):
        return False
    for half_pixel, spelling in PLAIN.items():
        if reads(found, half_pixel):
            for name, word in spelling.items():
                node.attributes[name] = ir.AttrString(name, word)
            return True
    return False


def _say_sizes(graph: ir.Graph, node: ir.Node) -> bool:
    """Rule 2: sizes in place of scales that do not give them exactly."""
    value, output = node.inputs[0], node.outputs[0]
    assert value is not None
    before, after = shape_of(value), shape_of(output)
    scales = {axis: _scale(node, axis) for axis in range(len(before))}
    if all(scale is None or scale * before[axis] == after[axis] for axis, scale in scales.items()):
        return False
    axes = [axis for axis, scale in scales.items() if scale is not None]
    axes.sort(key=lambda axis: _place(node, axis) or 0)
    sizes = np.array([after[axis] for axis in axes], np.int64)
    node.resize_inputs(4)
    node.replace_input_with(2, None)
    node.replace_input_with(3, new_constant(graph, f"{node.name}_sizes", sizes))
    return True


def _one_axis(graph: ir.Graph, node: ir.Node, value: ir.Value, along: Along) -> ir.Node:
    shape = list(shape_of(value))
    shape[along.axis] = along.count
    name = f"{node.name}_axis_{along.axis}"
    indices = indices_of(along)
    if indices is not None:
        operand = new_constant(graph, f"{name}_positions", indices.astype(np.int64))
        inputs, axis = [value, operand], {"axis": along.axis}
        return new_node("Gather", inputs, axis, name=name, like=value, shape=shape)
    assert value.dtype is not None
    matrix = along.matrix.astype(value.dtype.numpy())
    is_last = along.axis == len(shape) - 1
    operand = new_constant(graph, f"{name}_weights", matrix.T if is_last else matrix)
    inputs = [value, operand] if is_last else [operand, value]
    return new_node("MatMul", inputs, name=name, like=value, shape=shape)
