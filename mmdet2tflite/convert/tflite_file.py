"""Annotates TFLite files: which output is what, and the passport in the metadata."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema
from pydantic import TypeAdapter

from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Passport, Tensor, TfliteOutput
from mmdet2tflite.runtime.passport import PASSPORT
from mmdet2tflite.tflite.flatbuffer import read_metadata, read_model, write_metadata

type AxisOrder = tuple[int, ...]

LARGEST_RANK = 6
SCALAR = (1,)
"""What converters write for the shape ()."""
_PASSPORT = TypeAdapter(Passport)


def output_tensors(model: schema.ModelT) -> list[Tensor]:
    """Name and shape (NHWC) of every output, in the file's own order."""
    graph = model.subgraphs[0]
    tensors = [graph.tensors[index] for index in graph.outputs]
    return [Tensor(name=t.name.decode(), shape=tuple(int(n) for n in t.shape)) for t in tensors]


def match_outputs(expected: Sequence[Tensor], found: Sequence[Tensor]) -> dict[str, str]:
    """Find each ONNX output among a TFLite file's outputs, never by order.

    1. An output of the same name must have a shape that rule 3 allows.
    2. A converter that invents names is followed by shape, as long as only one output has it.
    3. A map (rank 4 or 5) has its channels last, or is as the ONNX has it. Where nothing is, any
       order of the axes will do. A scalar may have the shape (1,).

    Returns:
        The TFLite name by ONNX name.

    Raises:
        ModelError: an output is missing, has another shape, or cannot be told from its like.
    """
    free = {tensor.name: tensor.shape for tensor in found}
    names = {}
    for tensor in sorted(expected, key=lambda tensor: tensor.name not in free):  # rule 1 first
        usual = (to_channels_last(tensor.shape), tensor.shape or SCALAR)
        alike = [name for name, other in free.items() if other in usual]
        alike = alike or [name for name, other in free.items() if axis_orders(tensor.shape, other)]
        choice = [tensor.name] if tensor.name in free else alike
        if len(choice) != 1 or not _fits(tensor.shape, free[choice[0]]):
            described = ", ".join(f"{name} {list(shape)}" for name, shape in free.items())
            raise ModelError(
                f"no single output of the TFLite file can be {tensor.name} {list(usual[0])}; "
                f"left to choose from: {described or 'nothing'}",
                "one output for each output of the ONNX model, by name or by a shape of its own",
            )
        names[tensor.name] = choice[0]
        del free[choice[0]]
    return names


def _fits(shape: Sequence[int], found: Sequence[int]) -> bool:
    return bool(axis_orders(shape, found)) or (not shape and tuple(found) == SCALAR)


def describe_output(expected: Tensor, found: Tensor) -> TfliteOutput:
    """An ONNX output as the file has it. Where both layouts fit, a map has its channels last."""
    order = axis_orders(expected.shape, found.shape)[0]
    is_last = order == channels_last(len(order)) != tuple(range(len(order)))
    return TfliteOutput(name=expected.name, shape=found.shape, layout="nhwc" if is_last else "onnx")


def axis_orders(shape: Sequence[int], found: Sequence[int]) -> list[AxisOrder]:
    """How a tensor of a shape can have become one of another: axis i was ``order[i]`` before.

    The likeliest first: channels last (rank 4 and 5), as it was, any other. Nothing if the shapes
    have other sides, or more than ``LARGEST_RANK``, which stay as they are.
    """
    usual = [channels_last(len(shape)), tuple(range(len(shape)))]
    every = permutations(range(len(shape))) if len(shape) <= LARGEST_RANK else ()
    orders = dict.fromkeys([*usual, *every])
    return [order for order in orders if tuple(shape[axis] for axis in order) == tuple(found)]


def channels_last(rank: int) -> AxisOrder:
    """N x C x … → N x … x C, of rank 4 and 5; other ranks stay."""
    axes = tuple(range(rank))
    return (0, *axes[2:], 1) if rank in (4, 5) else axes


def to_channels_last(shape: Sequence[int]) -> tuple[int, ...]:
    """``(N, C, H, W)`` → ``(N, H, W, C)``, and so of rank 5; other ranks stay."""
    return tuple(shape[axis] for axis in channels_last(len(shape)))


def rename_tensors(model: schema.ModelT, names: Mapping[int, str]) -> None:
    """Give inputs and outputs other names, in the tensors and in the signature.

    Args:
        names: the new one by the number of the tensor.
    """
    graph = model.subgraphs[0]
    for number, name in names.items():
        graph.tensors[number].name = name.encode()
    for signature in model.signatureDefs or ():
        for entry in (*signature.inputs, *signature.outputs):
            if entry.tensorIndex in names:
                entry.name = names[entry.tensorIndex].encode()


def rename_outputs(model: schema.ModelT, names: Mapping[str, str]) -> None:
    """Give the outputs other names.

    Args:
        names: the present one by the new one (what ``match_outputs`` returns).
    """
    new_names = {old: new for new, old in names.items()}
    numbers = zip(model.subgraphs[0].outputs, output_tensors(model), strict=True)
    rename_tensors(model, {int(number): new_names[tensor.name] for number, tensor in numbers})


def write_passport(model: schema.ModelT, passport: Passport) -> None:
    """Put the passport into the metadata, in place of an earlier one."""
    write_metadata(model, PASSPORT, passport_json(passport))


def passport_json(passport: Passport, indent: int | None = None) -> bytes:
    """The text that a file, or what lies beside it, has of its passport."""
    left_out = None if passport.inputs else {"inputs"}
    return _PASSPORT.dump_json(_PASSPORT.validate_python(passport), indent=indent, exclude=left_out)


def read_passport(path: Path) -> Passport:
    """The passport of a file that this project made. Raises ModelError."""
    content = read_metadata(read_model(path), PASSPORT)
    if content is None:
        raise ModelError(
            f"{path} has no passport", "a file that mmdet2tflite made", "convert the model again"
        )
    return _PASSPORT.validate_json(content)
