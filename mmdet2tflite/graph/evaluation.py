"""One node at a time: its outputs, where its inputs are constant."""

from collections.abc import Mapping
from math import prod

import numpy as np
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from mmdet2tflite.graph.edit import Array, constant, contradiction, is_op, static_shape

QUICK_SIZE = 1024
"""Elements that a node may read and give to be computed in Python: a session of ONNX Runtime takes
0.6 ms, the reference implementation 0.1 ms, but up to 1 ms an element."""
SLOW = (
    "AveragePool",
    "Col2Im",
    "ConvTranspose",
    "DeformConv",
    "GridSample",
    "LpPool",
    "MaxPool",
    "NonMaxSuppression",
    "Resize",
    "RoiAlign",
    "Upsample",
)
"""Operators that the reference implementation computes element by element, whatever their size."""


def evaluate(
    node: ir.Node, opset: int, values: Mapping[ir.Value, Array] | None = None
) -> list[Array]:
    """The outputs of a node.

    1. Few elements: by ONNX's reference implementation; more, or ``SLOW`` ones: by ONNX Runtime.
    2. What ONNX Runtime has no kernel for (an operator, a type) is computed by the reference
       implementation all the same.

    Args:
        node: its inputs are constant, or among ``values``.
        opset: of the node.
        values: arrays of inputs that are not constant.

    Raises:
        ModelError: the operator rejects its inputs.
    """
    values = values or {}
    inputs = {
        str(value.name): values[value] if value in values else constant(value)
        for value in node.inputs
        if value is not None
    }
    model = _one_node(node, opset, inputs)
    try:
        if is_op(node, *SLOW) or _size(node, inputs) > QUICK_SIZE:
            arrays = _by_onnxruntime(model, inputs)
            if arrays is not None:
                return arrays
        with np.errstate(all="ignore"):  # infinities are constants like any other
            return list(ReferenceEvaluator(model).run(None, inputs))
    except MemoryError:
        raise
    except Exception as error:  # the implementation is numpy code: it can raise anything
        raise contradiction(node, error) from error


def _one_node(node: ir.Node, opset: int, inputs: Mapping[str, Array | None]) -> onnx.ModelProto:
    graph = onnx.helper.make_graph(
        [ir.to_proto(node)],
        "one_node",
        [onnx.helper.make_empty_tensor_value_info(name) for name in inputs],
        [onnx.helper.make_empty_tensor_value_info(str(output.name)) for output in node.outputs],
    )
    imports = [onnx.helper.make_opsetid("", opset)]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=10)


def _size(node: ir.Node, inputs: Mapping[str, Array | None]) -> int:
    """Elements that the node reads and gives."""
    read = sum(array.size for array in inputs.values() if array is not None)
    return read + sum(prod(static_shape(output) or ()) for output in node.outputs)


def _by_onnxruntime(
    model: onnx.ModelProto, inputs: Mapping[str, Array | None]
) -> list[Array] | None:
    """What ONNX Runtime computes, which wants the types; None where it has no kernel."""
    import onnxruntime  # a quarter of a second, for nodes that are rarely constant
    from onnxruntime.capi.onnxruntime_pybind11_state import InvalidGraph, NotImplemented

    for value in model.graph.input:
        array = inputs[value.name]
        assert array is not None
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, kind, array.shape))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except (InvalidGraph, NotImplemented):
        return None
    return list(session.run(None, dict(inputs)))
