"""Are the sizes that an ONNX file states possible? Asked before memory is taken for them.

1. A tensor's sides are not negative, and its data have the number of bytes that they give.
2. External data lie in regular files in the model's folder or below, not behind links, and within
   these files.
3. No tensor, and all of them together, have more than ``LIMIT`` bytes (what protobuf can hold).
4. Functions do not contain themselves, and expand to at most ``MOST_NODES`` nodes.
5. Names and texts are UTF-8; protobuf hands over others as bytes.
"""

import os
from collections.abc import Iterator
from functools import cache
from math import prod
from pathlib import Path

import onnx
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from mmdet2tflite.errors import ModelError
from mmdet2tflite.files.regular_file import open_regular

LIMIT = 2**31 - 1
MOST_NODES = 1_000_000

TYPED_FIELDS = (
    "float_data",
    "int32_data",
    "string_data",
    "int64_data",
    "double_data",
    "uint64_data",
)


def check_tensors(path: Path, proto: onnx.ModelProto) -> None:
    """Rules 1 to 3, of every tensor in the model. Raises ModelError."""
    total = 0
    for sparse in proto.graph.sparse_initializer:
        raise ModelError(
            f"{path}: the tensor {sparse.values.name} is sparse",
            "weights that are all stored",
            "export the model with dense weights",
        )
    for tensor in tensors(proto):
        size = _size(path, tensor)
        total += size
        if size > LIMIT or total > LIMIT:
            raise ModelError(
                f"{path}: the tensor {tensor.name} of the shape {list(tensor.dims)[:8]} brings the "
                f"weights to {total:,} bytes",
                f"at most {LIMIT:,} in all",
                "check the file; a network of this size cannot become a TFLite file",
            )
        _check_data(path, tensor, size)


def check_functions(path: Path, proto: onnx.ModelProto) -> None:
    """Rule 4. Raises ModelError."""
    bodies = {(each.domain, each.name, each.overload): each.node for each in proto.functions}
    inside: set[tuple[str, str, str]] = set()

    @cache
    def nodes_of(name: tuple[str, str, str]) -> int:
        if name in inside:
            raise ModelError(
                f"{path}: the function {name[1]} contains itself", "functions that end"
            )
        inside.add(name)
        count = expanded(bodies[name])
        inside.remove(name)
        return count

    def expanded(nodes: "Iterator[onnx.NodeProto] | list[onnx.NodeProto]") -> int:
        count = 0
        for node in nodes:
            name = (node.domain, node.op_type, node.overload)
            count += nodes_of(name) if name in bodies else 1
            for graph in _graphs_of(node):
                count += expanded(list(graph.node))
        return count

    count = expanded(list(proto.graph.node))
    if count > MOST_NODES:
        raise ModelError(
            f"{path}: its functions expand to {count:,} nodes", f"at most {MOST_NODES:,}"
        )


def check_texts(path: Path, proto: onnx.ModelProto) -> None:
    """Rule 5. Raises ModelError."""
    for node in _nodes(proto):
        texts = [node.name, node.op_type, node.domain, *node.input, *node.output]
        for attribute in node.attribute:
            texts += [attribute.name, attribute.s, *attribute.strings]
        for text in texts:
            _check_text(path, text)
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        _check_text(path, value.name)
    for tensor in tensors(proto):
        _check_text(path, tensor.name)


def _check_text(path: Path, text: str | bytes) -> None:
    try:
        _ = text.decode() if isinstance(text, bytes) else text.encode()
    except UnicodeError:
        raise ModelError(
            f"{path}: the text {text!r} is not UTF-8",
            "names that ONNX allows",
            "export the model again: this file is damaged",
        ) from None


def _size(path: Path, tensor: onnx.TensorProto) -> int:
    """Bytes that the sides give."""
    if any(side < 0 for side in tensor.dims):
        raise _impossible(path, tensor, f"has the shape {list(tensor.dims)}", "sides of 0 or more")
    elements = prod(tensor.dims)
    if tensor.data_type == onnx.TensorProto.STRING:
        return elements
    try:
        bits = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * 8
    except (KeyError, TypeError, ValueError):
        raise _impossible(
            path, tensor, f"is of the type {tensor.data_type}", "a type of the ONNX standard"
        ) from None
    name = onnx.TensorProto.DataType.Name(tensor.data_type)
    if name.endswith("INT4") or name == "FLOAT4E2M1":
        bits = 4
    if name.endswith("INT2"):
        bits = 2
    return -(-elements * bits // 8)


def _check_data(path: Path, tensor: onnx.TensorProto, size: int) -> None:
    if uses_external_data(tensor):
        _check_external(path, tensor, size)
    elif tensor.HasField("raw_data"):
        if len(tensor.raw_data) != size:
            raise _impossible(
                path,
                tensor,
                f"of the shape {list(tensor.dims)} has {len(tensor.raw_data):,} bytes",
                f"{size:,}",
            )
    elif prod(tensor.dims) > 0 and not any(len(getattr(tensor, name)) for name in TYPED_FIELDS):
        raise _impossible(path, tensor, f"of the shape {list(tensor.dims)} has no data", "its data")


def _check_external(path: Path, tensor: onnx.TensorProto, size: int) -> None:
    """Rule 2."""
    try:
        info = ExternalDataInfo(tensor)
        offset, length = int(info.offset or 0), int(info.length or 0)
    except (ValueError, TypeError) as error:
        raise _impossible(path, tensor, f"has external data that {error}", "numbers") from None
    folder = path.absolute().parent
    place = folder / info.location
    if not info.location or ".." in Path(info.location).parts or Path(info.location).is_absolute():
        raise _outside(path, tensor, info.location)
    parts = Path(info.location).parts
    if any((folder / Path(*parts[:n])).is_symlink() for n in range(1, len(parts) + 1)):
        raise _outside(path, tensor, f"{info.location}, a link")
    try:
        with open_regular(place, limit=None, error=ModelError) as file:
            available = os.fstat(file.fileno()).st_size
    except ModelError as error:
        raise ModelError(
            f"the external data of {path} cannot be read: {error.found}",
            "the files with the weights beside the model",
            "copy them there, or export the model into one file",
        ) from None
    length = length or available - offset
    if offset < 0 or length != size or offset + length > available:
        raise _impossible(
            path,
            tensor,
            f"of the shape {list(tensor.dims)} has {length:,} bytes at {offset:,} of "
            f"{info.location}, which has {available:,}",
            f"{size:,} bytes within the file",
        )


def _outside(path: Path, tensor: onnx.TensorProto, location: str) -> ModelError:
    return ModelError(
        f"{path}: the external data of {tensor.name} are in {location or 'no file'}",
        "a file in the model's folder or below, and no link",
        "copy them there, or export the model into one file",
    )


def _impossible(path: Path, tensor: onnx.TensorProto, what: str, expected: str) -> ModelError:
    return ModelError(
        f"{path}: the tensor {tensor.name} {what}",
        expected,
        "export the model again: this file is damaged",
    )


def tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All that have data: initializers, and what nodes hold, in their graphs too."""
    yield from proto.graph.initializer
    for node in _nodes(proto):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                if sparse.dims:
                    yield from (sparse.values, sparse.indices)
        for graph in _graphs_of(node):
            yield from graph.initializer


def _nodes(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """All nodes, those of functions and of graphs inside nodes too."""
    pending = [*proto.graph.node]
    for function in proto.functions:
        pending += function.node
    while pending:
        node = pending.pop()
        yield node
        for graph in _graphs_of(node):
            pending += graph.node


def _graphs_of(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
