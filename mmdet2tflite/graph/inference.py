"""One node at a time: the shapes of its outputs."""

from math import prod

import onnx
import onnx.checker
import onnx.defs
import onnx.shape_inference
import onnx_ir as ir

from mmdet2tflite.errors import ModelError
from mmdet2tflite.geometry import same_output
from mmdet2tflite.graph.edit import (
    contradiction,
    describe,
    integer,
    integers,
    is_op,
    static_shape,
    string,
)

LARGEST_SHAPE_OPERAND = 1024
"""Elements of a constant that can say something about a shape; weights have more."""
LARGEST_VALUE = 2**29
"""Elements of what a node computes: 2 GB of float32."""
WITH_KERNEL = ("AveragePool", "Conv", "ConvTranspose", "LpPool", "MaxPool")


def infer_shapes(node: ir.Node, opset: int) -> None:
    """Set types and shapes of the outputs of a node whose inputs have theirs.

    1. ONNX's inference for the one operator; it sees the small constants among the inputs.
    2. ONNX's inference (1.20) forgets a rule of ``ceil_mode``: see ``ceil_output``.
    3. It also adds ``output_padding`` to a ``ConvTranspose`` under SAME, whose output is s·H, or
       what its windows cover, if that is less (ONNX operator specification; ONNX Runtime).
    4. It does not count: a ``Reshape`` must keep the number of elements.
    5. What cannot be inferred stays as it was declared.

    Raises:
        ModelError: the shapes of the inputs contradict the operator, or an output is too large.
    """
    for output, inferred in zip(node.outputs, _infer(node, opset), strict=True):
        if inferred is None:
            continue
        output.type = ir.serde.deserialize_type_proto_for_type(inferred) or output.type
        shape = ir.serde.deserialize_type_proto_for_shape(inferred)
        if shape is not None and (shape.is_static() or static_shape(output) is None):
            output.shape = shape
    if is_op(node, "MaxPool", "AveragePool") and integer(node, "ceil_mode", 0):
        _correct_ceil_mode(node)
    if is_op(node, "ConvTranspose") and string(node, "auto_pad", "NOTSET").startswith("SAME"):
        _correct_same(node)
    if is_op(node, "Reshape"):
        _check_elements(node)
    for output in node.outputs:
        elements = prod(static_shape(output) or ())
        if elements > LARGEST_VALUE:
            raise ModelError(
                f"{describe(node)} gives {elements:,} elements ({output.shape})",
                f"at most {LARGEST_VALUE:,}",
                "export the network for a smaller input, or give a smaller --input-size",
            )


def constant_elements(node: ir.Node, opset: int) -> int:
    """How many elements ``evaluate`` would give, as far as ONNX's inference can tell.

    Raises:
        ModelError: the shapes of the inputs contradict the operator.
    """
    found = 0
    for inferred in _infer(node, opset):
        if inferred is not None and inferred.tensor_type.HasField("shape"):
            sides = inferred.tensor_type.shape.dim
            if all(side.HasField("dim_value") for side in sides):
                found += prod(side.dim_value for side in sides)
    return found


def ceil_output(size: int, span: int, stride: int, begin: int, end: int) -> int:
    """Outputs of a pooling with ``ceil_mode`` along one axis.

    n = ceil((H + b + e - K) / s) + 1; but a last window that starts in the end pad, that is, where
    (n - 1)·s >= H + b, is dropped (ONNX operator specification, MaxPool: "sliding windows that
    would start in the right padded region are ignored").
    """
    count = -(-(size + begin + end - span) // stride) + 1
    return count - 1 if (count - 1) * stride >= size + begin else count


def _check_ranks(node: ir.Node) -> None:
    """ONNX's inference (1.20) reads beyond the shape of a map that has no axes for its kernel."""
    if not is_op(node, *WITH_KERNEL):
        return
    ranks = [len(v.shape) for v in node.inputs[:2] if v is not None and v.shape is not None]
    if is_op(node, "Conv", "ConvTranspose") and len(set(ranks)) > 1:
        raise contradiction(node, f"ranks {ranks} of maps and kernel")
    axes = len(integers(node, "kernel_shape", [0] * (ranks[0] - 2))) if ranks else 1
    if ranks and (ranks[0] < 3 or axes != ranks[0] - 2):
        raise contradiction(node, f"a kernel over {axes} axes for rank {ranks[0]}")


def _infer(node: ir.Node, opset: int) -> list[onnx.TypeProto | None]:
    _check_ranks(node)
    known = [value for value in node.inputs if value is not None]
    if any(value.type is None for value in known):
        return [None] * len(node.outputs)
    schema = onnx.defs.get_schema(node.op_type, opset, "")
    try:
        inferred = onnx.shape_inference.infer_node_outputs(
            schema,
            ir.to_proto(node),
            {str(value.name): _type(value) for value in known},
            {str(value.name): data for value in known if (data := _small(value)) is not None},
            opset_imports=[onnx.helper.make_opsetid("", opset)],
        )
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
        raise contradiction(node, error) from error
    return [inferred.get(str(output.name)) for output in node.outputs]


def _type(value: ir.Value) -> onnx.TypeProto:
    assert value.type is not None
    proto = ir.to_proto(value.type)
    if value.shape is not None:
        ir.serde.serialize_shape_into(proto, value.shape)
    return proto


def _small(value: ir.Value) -> onnx.TensorProto | None:
    if value.is_graph_input():
        return None
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is None or tensor.size > LARGEST_SHAPE_OPERAND:
        return None
    return ir.to_proto(tensor)


def _correct_ceil_mode(node: ir.Node) -> None:
    """Rule 2."""
    value, output = node.inputs[0], node.outputs[0]
    assert value is not None
    shape, kernel = static_shape(value), integers(node, "kernel_shape", ())
    if shape is None:
        return
    ones, zeros = [1] * len(kernel), [0] * (2 * len(kernel))
    strides, dilations = integers(node, "strides", ones), integers(node, "dilations", ones)
    pads = integers(node, "pads", zeros)
    # SAME has its own number of outputs, whichever way it is rounded.
    is_same = string(node, "auto_pad", "NOTSET").startswith("SAME")
    sizes = [
        same_output(shape[axis + 2], strides[axis])
        if is_same
        else ceil_output(
            shape[axis + 2],
            (kernel[axis] - 1) * dilations[axis] + 1,
            strides[axis],
            pads[axis],
            pads[axis + len(kernel)],
        )
        for axis in range(len(kernel))
    ]
    output.shape = ir.Shape([*shape[:2], *sizes])
    for indices in node.outputs[1:]:
        indices.shape = ir.Shape([*shape[:2], *sizes])


def _correct_same(node: ir.Node) -> None:
    """Rule 3."""
    value, weights, output = node.inputs[0], node.inputs[1], node.outputs[0]
    assert value is not None
    assert weights is not None
    shape, kernel, inferred = static_shape(value), static_shape(weights), static_shape(output)
    if "output_shape" in node.attributes or shape is None or kernel is None or inferred is None:
        return
    axes = range(len(shape) - 2)
    ones, zeros = [1 for _ in axes], [0 for _ in axes]
    strides, dilations = integers(node, "strides", ones), integers(node, "dilations", ones)
    extra = integers(node, "output_padding", zeros)
    sizes = [
        min(
            strides[axis] * size,
            strides[axis] * (size - 1) + extra[axis] + (taps - 1) * dilations[axis] + 1,
        )
        for axis, size, taps in zip(axes, shape[2:], kernel[2:], strict=True)
    ]
    output.shape = ir.Shape([*inferred[:2], *sizes])


def _check_elements(node: ir.Node) -> None:
    """Rule 4. What an export wrote down for another input size shows here first."""
    value, output = node.inputs[0], node.outputs[0]
    assert value is not None
    before, after = static_shape(value), static_shape(output)
    if before is not None and after is not None and prod(before) != prod(after):
        raise contradiction(node, f"{prod(before)} elements for the shape {after}")
