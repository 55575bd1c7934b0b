"""What a model file is made of: operators by name, and how many only move data."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
from ai_edge_litert import schema_py_generated as schema
from google.protobuf.message import DecodeError

from mmdet2tflite.errors import ModelError

PADS = ("Pad", "PAD", "PADV2", "MIRROR_PAD")
TRANSPOSES = ("Transpose", "TRANSPOSE")
TFLITE_IDENTIFIER = b"TFL3"
"""Bytes 4..8 of the file (``file_identifier`` of TFLite's schema.fbs)."""

_BUILTIN_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
}


def tflite_ops(path: Path) -> Counter[str]:
    """Operators of all subgraphs of a TFLite file, by builtin or custom name.

    Raises:
        ModelError: this is not a TFLite file.
    """
    content = path.read_bytes()
    if content[4:8] != TFLITE_IDENTIFIER:
        raise ModelError(f"{path} is not a TFLite file", "the identifier TFL3 at byte 4")
    model = schema.Model.GetRootAs(content, 0)
    names = [_name(model.OperatorCodes(i)) for i in range(model.OperatorCodesLength())]
    subgraphs = [model.Subgraphs(i) for i in range(model.SubgraphsLength())]
    return Counter(
        names[subgraph.Operators(i).OpcodeIndex()]
        for subgraph in subgraphs
        for i in range(subgraph.OperatorsLength())
    )


def _name(code: schema.OperatorCode) -> str:
    # Codes up to 127 once had a field of one byte; the larger of the two is the operator
    # (GetBuiltinCode in tensorflow/lite/schema/schema_utils.cc).
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if builtin == schema.BuiltinOperator.CUSTOM:
        return code.CustomCode().decode()
    return _BUILTIN_NAMES.get(builtin, f"BUILTIN_{builtin}")


def onnx_ops(path: Path) -> Counter[str]:
    """Operators of an ONNX graph and of its subgraphs.

    ``Constant`` nodes are left out: they hold a value like an initializer and compute nothing.

    Raises:
        ModelError: this is not an ONNX file.
    """
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except DecodeError as error:
        raise ModelError(
            f"{path} is not an ONNX file: {error}", "a serialised ONNX model"
        ) from None
    return Counter(node.op_type for node in _nodes(graph) if node.op_type != "Constant")


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for subgraph in (attribute.g, *attribute.graphs):
                yield from _nodes(subgraph)


def census_metrics(ops: Mapping[str, int], path: Path) -> dict[str, float]:
    """``ops``, ``pads``, ``transposes`` (numbers of operators) and ``size_mb`` (10⁶ bytes)."""
    return {
        "ops": float(sum(ops.values())),
        "pads": float(sum(ops.get(name, 0) for name in PADS)),
        "transposes": float(sum(ops.get(name, 0) for name in TRANSPOSES)),
        "size_mb": path.stat().st_size / 1e6,
    }
