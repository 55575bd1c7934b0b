"""Networks as ONNX Runtime computes them rightly; see ``graph.verify``, which does not use this."""

import onnx
import onnx.version_converter

RIGHT_POOLINGS, IR_OF_RIGHT_POOLINGS = 19, 9
FIRST_WITH_COORDINATES = 11
"""Opset whose ``Resize`` says where its pixels are."""


def with_right_poolings(model: onnx.ModelProto) -> onnx.ModelProto:
    """Brought up to opset 19 where ONNX Runtime is wrong before: padding that counts in ceil mode.

    onnx's converter forgets that ``Resize`` of opset 10 computes output i from position i / scale.
    """
    opset = model.opset_import[0].version
    if opset >= RIGHT_POOLINGS or not any(map(_counts_in_ceil_mode, model.graph.node)):
        return model
    newer = onnx.version_converter.convert_version(model, RIGHT_POOLINGS)
    newer.ir_version = max(newer.ir_version, IR_OF_RIGHT_POOLINGS)
    for node in newer.graph.node:
        if node.op_type == "Resize" and opset < FIRST_WITH_COORDINATES:
            node.attribute.append(
                onnx.helper.make_attribute("coordinate_transformation_mode", "asymmetric")
            )
    return newer


def _counts_in_ceil_mode(node: onnx.NodeProto) -> bool:
    flags = {attribute.name: attribute.i for attribute in node.attribute}
    return node.op_type == "AveragePool" and bool(
        flags.get("ceil_mode") and flags.get("count_include_pad")
    )
