"""Annotates TFLite files: which output is what, and the passport in the metadata."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.artifacts import Passport, Tensor, TfliteOutput
from mmdet2tflite.errors import ModelError
from mmdet2tflite.runtime.passport import PASSPORT
from mmdet2tflite.tflite.flatbuffer import read_metadata, read_model, write_metadata


def output_tensors(model: schema.ModelT) -> list[Tensor]:
    """Name and shape (NHWC) of every output, in the file's own order."""
    graph = model.subgraphs[0]
    tensors = [graph.tensors[index] for index in graph.outputs]
    return [Tensor(name=t.name.decode(), shape=tuple(int(n) for n in t.shape)) for t in tensors]


def match_outputs(expected: Sequence[Tensor], found: Sequence[Tensor]) -> dict[str, str]:
    """Find each ONNX output among a TFLite file's outputs, never by order.

    1. An output of the same name must have a shape that rule 3 allows.
    2. A converter that invents names is followed by shape, as long as only one output has it.
    3. A map (rank 4) is NHWC, or as the ONNX has it where the converter did not need to transpose
       it. Outputs of other ranks have the ONNX shape.

    Returns:
        The TFLite name by ONNX name.

    Raises:
        ModelError: an output is missing, has another shape, or cannot be told from its like.
    """
    free = {tensor.name: tensor.shape for tensor in found}
    names = {}
    for tensor in sorted(expected, key=lambda tensor: tensor.name not in free):  # rule 1 first
        shapes = (to_nhwc(tensor.shape), tensor.shape)
        alike = [name for name, other in free.items() if other in shapes]
        choice = [tensor.name] if tensor.name in free else alike
        if len(choice) != 1 or free[choice[0]] not in shapes:
            described = ", ".join(f"{name} {list(shape)}" for name, shape in free.items())
            raise ModelError(
                f"no single output of the TFLite file can be {tensor.name} {list(shapes[0])}; "
                f"left to choose from: {described or 'nothing'}",
                "one output for each output of the ONNX model, by name or by a shape of its own",
            )
        names[tensor.name] = choice[0]
        del free[choice[0]]
    return names


def describe_output(expected: Tensor, found: Tensor) -> TfliteOutput:
    """An ONNX output as the file has it. Where both layouts fit, a map is NHWC."""
    as_onnx = len(expected.shape) != 4 or found.shape != to_nhwc(expected.shape)
    return TfliteOutput(name=expected.name, shape=found.shape, layout="onnx" if as_onnx else "nhwc")


def rename_outputs(model: schema.ModelT, names: Mapping[str, str]) -> None:
    """Give the outputs the ONNX names, in the tensors and in the signature.

    Args:
        names: the present name by the new one (what ``match_outputs`` returns).
    """
    new_names = {old: new for new, old in names.items()}
    graph = model.subgraphs[0]
    by_index = {}
    for index in graph.outputs:
        tensor = graph.tensors[index]
        tensor.name = new_names[tensor.name.decode()].encode()
        by_index[index] = tensor.name
    for signature in model.signatureDefs or ():
        for output in signature.outputs:
            output.name = by_index[output.tensorIndex]


def to_nhwc(shape: Sequence[int]) -> tuple[int, ...]:
    """``(N, C, H, W)`` → ``(N, H, W, C)``; other ranks stay."""
    if len(shape) != 4:
        return tuple(shape)
    n, c, h, w = shape
    return n, h, w, c


def write_passport(model: schema.ModelT, passport: Passport) -> None:
    """Put the passport into the metadata, in place of an earlier one."""
    write_metadata(model, PASSPORT, passport.model_dump_json().encode())


def read_passport(path: Path) -> Passport:
    """The passport of a file that this project made. Raises ModelError."""
    content = read_metadata(read_model(path), PASSPORT)
    if content is None:
        raise ModelError(
            f"{path} has no passport", "a file that mmdet2tflite made", "convert the model again"
        )
    return Passport.model_validate_json(content)
