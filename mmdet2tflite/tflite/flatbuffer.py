"""TFLite files as trees of objects: read, serialise, metadata, new tensors and operators.

Needs numpy, flatbuffers and ai-edge-litert, nothing else: a backend can use it without the
pipeline.
"""

import copy
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError
from mmdet2tflite.files.regular_file import read_regular

LARGEST_FILE = 2**31 - 1
"""Bytes; an offset in a flatbuffer reaches no farther."""
IDENTIFIER = b"TFL3"
"""Bytes 4..8 of the file (``file_identifier`` of TFLite's schema.fbs)."""
UNPACKING_ERRORS = (
    struct.error,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What the generated code raises for bytes that make no sense."""
ALIGNMENT = 16
"""Bytes to which the content of a buffer is aligned (``force_align`` of ``Buffer.data``)."""

type Array = NDArray[np.generic]

DTYPES: dict[int, np.dtype[Any]] = {
    getattr(schema.TensorType, name.upper()): np.dtype(name)
    for name in ("float16", "float32", "int8", "uint8", "int16", "int32", "int64")
}
_TYPES = {dtype: code for code, dtype in DTYPES.items()}
_BUILTIN_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
}


def read_model(path: Path) -> schema.ModelT:
    """The file as a tree of objects, with all weights inside.

    Raises:
        ModelError: it is missing, broken or not TFLite.
    """
    return parse_model(read_regular(path, limit=LARGEST_FILE, error=ModelError), str(path))


def parse_model(content: bytes, what: str) -> schema.ModelT:
    """As ``read_model``, of a file's bytes; ``what`` names it in an error.

    Buffers may lie behind the flatbuffer, at an offset from the beginning of the file
    (``Buffer.offset`` in TFLite's schema.fbs; litert-quantizer writes them so). They are brought
    inside: TFLite-Micro does not look there, and computes with whatever it finds instead.
    """
    _check_identifier(content, what)
    try:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
    except UNPACKING_ERRORS as error:
        raise _broken(what, str(error)) from None
    for buffer in model.buffers or ():
        if buffer.offset > 1:  # 0 and 1 mean none
            if buffer.offset + buffer.size > len(content):
                raise _broken(what, "a buffer ends behind its end")
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
        buffer.offset = buffer.size = 0
    try:
        _check_references(model)
    except UNPACKING_ERRORS as error:
        raise _broken(what, str(error)) from None
    return model


def _check_references(model: schema.ModelT) -> None:
    """Numbers that name something else name what is there, and constants have their size.

    Raises:
        ValueError: one does not; or one of ``UNPACKING_ERRORS``.
    """
    for graph in model.subgraphs:
        count = len(graph.tensors)
        for tensor in graph.tensors:
            tensor.name.decode()
            data = model.buffers[tensor.buffer].data
            if data is not None and len(data):
                constant(model, tensor)
        numbers = [*graph.inputs, *graph.outputs]
        for operator in graph.operators or ():
            operator_name(model, operator)
            numbers += [*(n for n in _list(operator.inputs) if n != -1), *_list(operator.outputs)]
        if any(not 0 <= number < count for number in numbers):
            raise ValueError(f"a tensor of a number that is none of the {count}")
    for entry in model.metadata or ():
        if not 0 <= entry.buffer < len(model.buffers):
            raise ValueError(f"no buffer {entry.buffer}")


def _list(values: Any) -> list[int]:
    return [] if values is None else [int(value) for value in values]


def _check_identifier(content: bytes, what: str) -> None:
    if content[4:8] != IDENTIFIER:
        raise ModelError(f"{what} is not a TFLite file", "the identifier TFL3 at byte 4")


def _broken(what: str, how: str) -> ModelError:
    return ModelError(
        f"{what} is broken: {how}", "a complete TFLite file", "copy or convert it again"
    )


def serialise(model: schema.ModelT) -> bytes:
    """The bytes of a file."""
    builder = _AligningBuilder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def write_model(model: schema.ModelT, path: Path) -> None:
    """Serialise a tree of objects into a file."""
    path.write_bytes(serialise(model))


class _AligningBuilder(flatbuffers.Builder):
    """Aligns arrays as the schema demands, which the generated code forgets for numpy arrays.

    TFLite-Micro reads weights and biases in place; on some cores an unaligned word is a fault.
    """

    def CreateNumpyVector(self, x: Array) -> int:
        self.Prep(ALIGNMENT, x.nbytes)
        return int(super().CreateNumpyVector(x))


def read_metadata(model: schema.ModelT, name: str) -> bytes | None:
    """The content of a metadata entry, or None if there is none of that name."""
    for entry in model.metadata or ():
        if entry.name == name.encode():
            data = model.buffers[entry.buffer].data
            return b"" if data is None else bytes(data)
    return None


def find_metadata(content: bytes, name: str, what: str) -> bytes | None:
    """As ``read_metadata``, of a file's bytes. Nothing else of them is unpacked, which takes long.

    Raises:
        ModelError: they are broken or not TFLite; ``what`` names them in the error.
    """
    _check_identifier(content, what)
    try:
        model = schema.Model.GetRootAs(content, 0)
        for number in range(model.MetadataLength()):
            entry = model.Metadata(number)
            if entry.Name() == name.encode():
                buffer = model.Buffers(entry.Buffer())
                start, size = buffer.Offset(), buffer.Size()
                if start > 1:  # behind the flatbuffer, as in ``parse_model``
                    return content[start : start + size]
                return buffer.DataAsNumpy().tobytes() if buffer.DataLength() else b""
    except UNPACKING_ERRORS as error:
        raise _broken(what, str(error)) from None
    return None


def write_metadata(model: schema.ModelT, name: str, content: bytes) -> None:
    """Put an entry into the metadata, in place of an earlier one of that name."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(content, np.uint8)
    entries = list(model.metadata or ())
    for entry in entries:
        if entry.name == name.encode():
            model.buffers[entry.buffer] = buffer
            return
    entry = schema.MetadataT()
    entry.name, entry.buffer = name.encode(), len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*entries, entry]


def operator_name(model: schema.ModelT, operator: schema.OperatorT) -> str:
    """``CONV_2D``, or the name of a custom operator."""
    code = model.operatorCodes[operator.opcodeIndex]
    # The larger of the two fields is the operator (GetBuiltinCode in TensorFlow Lite's
    # schema_utils.cc).
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    if builtin == schema.BuiltinOperator.CUSTOM:
        return str(code.customCode.decode())
    return _BUILTIN_NAMES.get(builtin, f"BUILTIN_{builtin}")


def constant(model: schema.ModelT, tensor: schema.TensorT) -> Array | None:
    """A tensor's values as they are stored; None if it is computed or of a type without numbers."""
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0 or tensor.type not in DTYPES:
        return None
    shape = () if tensor.shape is None else tuple(int(side) for side in tensor.shape)
    return np.frombuffer(bytes(data), DTYPES[tensor.type]).reshape(shape)


def copy_tensor(
    graph: schema.SubGraphT, index: int, suffix: str, shape: Sequence[int] | None = None
) -> int:
    """A new tensor of the same type and quantisation, named after the old one; its index.

    With a shape of its own it is a computed one, whatever the old one is.
    """
    tensor = copy.copy(graph.tensors[index])
    tensor.name = free_name(graph, tensor.name + suffix.encode())
    if shape is not None:
        tensor.shape = np.array(shape, np.int32)
        tensor.shapeSignature = None
        tensor.buffer = 0
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def new_constant(
    model: schema.ModelT, name: str, value: Array, quantization: Any | None = None
) -> int:
    """A new constant of subgraph 0; its index."""
    graph = model.subgraphs[0]
    tensor = schema.TensorT()
    tensor.name = free_name(graph, name.encode())
    tensor.shape = np.array(value.shape, np.int32)
    tensor.type = _TYPES[value.dtype]
    tensor.quantization = quantization
    tensor.buffer = len(model.buffers)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    model.buffers.append(buffer)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def new_operator(
    model: schema.ModelT,
    builtin: int,
    version: int,
    options: Any,
    inputs: Sequence[int],
    output: int,
) -> schema.OperatorT:
    """An operator that the caller puts into a subgraph; ``options`` as ``PadOptionsT()``."""
    operator = schema.OperatorT()
    operator.opcodeIndex = _opcode(model, builtin, version)
    operator.inputs = np.array(inputs, np.int32)
    operator.outputs = np.array([output], np.int32)
    kind = type(options).__name__.removesuffix("T")
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
    operator.builtinOptions = options
    return operator


def _opcode(model: schema.ModelT, builtin: int, version: int) -> int:
    for index, code in enumerate(model.operatorCodes):
        present = max(code.builtinCode, code.deprecatedBuiltinCode)
        if (present, code.version) == (builtin, version):
            return index
    # Codes that do not fit into the older field of one byte leave a placeholder there.
    narrow = min(builtin, schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, narrow, version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def free_name(graph: schema.SubGraphT, name: bytes) -> bytes:
    """The name, or with a number behind it, such that no tensor of the graph has it."""
    taken = {tensor.name for tensor in graph.tensors}
    number, free = 2, name
    while free in taken:
        free, number = name + f"_{number}".encode(), number + 1
    return free
