"""What a model file is made of: operators by name, and how many only move data."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
from ai_edge_litert import schema_py_generated as schema
from google.protobuf.message import DecodeError

from mmdet2tflite.errors import ModelError
from mmdet2tflite.tflite.flatbuffer import operator_name, read_model

PADS = ("Pad", "PAD", "PADV2", "MIRROR_PAD", "PadV2", "MirrorPad", "pad")
TRANSPOSES = ("Transpose", "TRANSPOSE", "transpose")


def tflite_ops(path: Path) -> Counter[str]:
    """Operators of all subgraphs of a TFLite file, by builtin or custom name.

    Raises:
        ModelError: this is not a TFLite file.
    """
    return operators(read_model(path))


def operators(model: schema.ModelT) -> Counter[str]:
    """Operators of all subgraphs, by builtin or custom name."""
    return Counter(
        operator_name(model, operator)
        for subgraph in model.subgraphs
        for operator in subgraph.operators
    )


def custom_ops(model: schema.ModelT) -> list[str]:
    """Names of the custom operators, which LiteRT runs only with kernels of the caller's own."""
    names = {code.customCode for code in model.operatorCodes} - {None}
    return sorted(name.decode() for name in names)


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


def census_metrics(ops: Mapping[str, int], *files: Path) -> dict[str, float]:
    """``ops``, ``pads``, ``transposes`` (numbers of operators) and ``size_mb`` (10⁶ bytes).

    One of ``files`` may be a folder, whose files all count.
    """
    return {
        "ops": float(sum(ops.values())),
        "pads": float(sum(ops.get(name, 0) for name in PADS)),
        "transposes": float(sum(ops.get(name, 0) for name in TRANSPOSES)),
        "size_mb": sum(_size(file) for file in files) / 1e6,
    }


def _size(file: Path) -> int:
    if file.is_dir():
        return sum(part.stat().st_size for part in file.rglob("*") if part.is_file())
    return file.stat().st_size
