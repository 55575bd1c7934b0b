"""Old opsets brought up to 13 by onnx.version_converter, whose gaps (onnx 1.20) are mended here."""

import onnx
import onnx.checker
import onnx.shape_inference
import onnx.version_converter
import onnx_ir as ir

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.edit import constant, describe, is_op, string

OLDEST, WANTED, NEWEST = 7, 13, 23
"""Opsets that can be read, and between them the one that older models are brought up to."""

IR_OF_CONSTANTS = 4


def upgrade(model: ir.Model) -> ir.Model:
    """A model of opset 13 to 23.

    1. Opset 7 to 12: ``onnx.version_converter`` brings it up to 13; 13 to 23 stay.
    2. ``Pad`` with a mode other than constant loses its attribute ``value``, which means nothing:
       the converter leaves it there, where opset 13 has no such attribute.
    3. ``Upsample``, and ``Resize`` before opset 11, compute output i from position i / scale; the
       nearest row is that below, and when scaling down, that above (ONNX Runtime). The converter
       forgets to say so.

    Raises:
        ModelError: another opset, or the converter cannot convert an operator.
    """
    opset = model.opset_imports.get("", 0)
    if WANTED <= opset <= NEWEST:
        return model
    found, remedy = f"the model has opset {opset}", f"export it with opset {WANTED} to {NEWEST}"
    if not OLDEST <= opset <= NEWEST:
        raise ModelError(found, f"opset {OLDEST} to {NEWEST}", remedy)
    # Before this version every initializer is a graph input, which ours no longer are.
    model.ir_version = max(model.ir_version, IR_OF_CONSTANTS)
    for node in model.graph:
        if is_op(node, "Pad") and string(node, "mode", "constant") != "constant":
            node.attributes.pop("value", None)  # rule 2
    try:
        proto = onnx.version_converter.convert_version(ir.to_proto(model), WANTED)
        onnx.checker.check_model(proto)
    except (
        RuntimeError,
        ValueError,
        IndexError,
        onnx.checker.ValidationError,
        onnx.version_converter.ConvertError,
        onnx.shape_inference.InferenceError,
    ) as error:
        raise ModelError(
            f"{found}, which onnx.version_converter cannot convert: {error}",
            f"a model that can be brought up to opset {WANTED}",
            remedy,
        ) from error
    converted = ir.from_proto(proto)
    for node in converted.graph:
        if opset < 11 and is_op(node, "Resize"):
            _say_how_to_resize(node)
    return converted


def _say_how_to_resize(node: ir.Node) -> None:
    """Rule 3. Scales that are computed are those of an up-sampling, as PyTorch exports it."""
    scales = constant(node.inputs[2])
    factors = [] if scales is None else scales.ravel().tolist()
    down = any(factor < 1 for factor in factors)
    if string(node, "mode", "nearest") == "nearest":
        if down and any(factor > 1 for factor in factors):
            raise ModelError(
                f"{describe(node)} scales up along one axis and down along another",
                "one of both",
                f"export the model with opset {WANTED} to {NEWEST}",
            )
        node.attributes["nearest_mode"] = ir.AttrString("nearest_mode", "ceil" if down else "floor")
    name = "coordinate_transformation_mode"
    node.attributes[name] = ir.AttrString(name, "asymmetric")
