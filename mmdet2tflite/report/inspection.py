"""``mmdet2tflite inspect``: what a TFLite file is made of, and which of its PADs matter where."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from rich.markup import escape
from rich.table import Table

from mmdet2tflite.errors import ModelError
from mmdet2tflite.files.regular_file import read_regular
from mmdet2tflite.processes.memory import growing_at_most
from mmdet2tflite.report.terminal import SafeConsole
from mmdet2tflite.runtime.passport import PASSPORT
from mmdet2tflite.runtime.passport_checks import shown
from mmdet2tflite.tflite.census import operators
from mmdet2tflite.tflite.flatbuffer import (
    LARGEST_FILE,
    UNPACKING_ERRORS,
    constant,
    operator_name,
    parse_model,
    read_metadata,
)
from mmdet2tflite.tflite.padding_flag import Pads, read_flags
from mmdet2tflite.tflite.pads import (
    PADDING_OPERATORS,
    TYPE_NAMES,
    Padding,
    Reader,
    find_pads,
    scale_and_zero_point,
)
from mmdet2tflite.tflite.windows import CONVOLUTIONS, window_of

MOST_MEMORY, TIMES_FILE = 10**9, 8
"""Bytes that reading a file may take, and of those that it has."""


@dataclass(frozen=True)
class Described:
    """An input or output. ``scale`` and ``zero_point`` are None for a tensor of reals."""

    name: str
    shape: tuple[int, ...]
    type: str
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class Transposition:
    """A TRANSPOSE; its permutation is None if it is computed."""

    output: str
    permutation: tuple[int, ...] | None


@dataclass(frozen=True)
class Inspection:
    """Everything ``inspect`` shows of one file.

    Args:
        size: of the file, in bytes.
        operators: numbers of all subgraphs, the most frequent first; the rest is of the main one.
        strided_convolutions: how many convolutions with a stride above 1 pad in which way.
        passport: what the file says of itself; None without one.
        engine_flags: true pads by the tensor that a flagged operator writes.
    """

    file: str
    size: int
    inputs: list[Described]
    outputs: list[Described]
    operators: dict[str, int]
    strided_convolutions: dict[str, int]
    pads: list[Padding]
    transposes: list[Transposition]
    engine_flags: dict[str, Pads]
    passport: dict[str, Any] | None


def inspect(path: Path) -> Inspection:
    """Read a file. Raises ModelError if it is missing or broken, or its metadata is."""
    content = read_regular(path, limit=LARGEST_FILE, error=ModelError)
    with growing_at_most(MOST_MEMORY + TIMES_FILE * len(content), error=ModelError):
        try:
            return _inspect(parse_model(content, str(path)), path, len(content))
        except UNPACKING_ERRORS as error:  # what operators and tensors say may contradict itself
            raise ModelError(
                f"{path} is broken: {shown(error)}",
                "a complete TFLite file",
                "copy or convert it again",
            ) from error


def _inspect(model: schema.ModelT, path: Path, size: int) -> Inspection:
    graph = model.subgraphs[0]
    return Inspection(
        file=str(path),
        size=size,
        inputs=[_described(graph.tensors[index]) for index in graph.inputs],
        outputs=[_described(graph.tensors[index]) for index in graph.outputs],
        operators=dict(operators(model).most_common()),
        strided_convolutions=_strided(model),
        pads=find_pads(model),
        transposes=_transposes(model),
        engine_flags=read_flags(model),
        passport=_passport(model, path),
    )


def _described(tensor: schema.TensorT) -> Described:
    scale, zero_point = scale_and_zero_point(tensor) or (None, None)
    return Described(
        name=tensor.name.decode(),
        shape=() if tensor.shape is None else tuple(int(side) for side in tensor.shape),
        type=TYPE_NAMES[tensor.type].lower(),
        scale=scale,
        zero_point=zero_point,
    )


def _strided(model: schema.ModelT) -> dict[str, int]:
    graph = model.subgraphs[0]
    padded = {o.outputs[0] for o in graph.operators if operator_name(model, o) in PADDING_OPERATORS}
    found = Counter({"SAME": 0, "VALID": 0, "VALID behind a PAD": 0})
    for operator in graph.operators:
        window = window_of(model, operator)
        if window and operator_name(model, operator) in CONVOLUTIONS and max(window.stride) > 1:
            behind = operator.inputs[0] in padded and not window.same
            found["VALID behind a PAD" if behind else window.padding] += 1
    return dict(found)


def _transposes(model: schema.ModelT) -> list[Transposition]:
    graph = model.subgraphs[0]
    found = []
    for operator in graph.operators:
        if operator_name(model, operator) == "TRANSPOSE":
            axes = constant(model, graph.tensors[operator.inputs[1]])
            permutation = None if axes is None else tuple(int(axis) for axis in axes)
            output = graph.tensors[operator.outputs[0]].name.decode()
            found.append(Transposition(output, permutation))
    return found


def _passport(model: schema.ModelT, path: Path) -> dict[str, Any] | None:
    content = read_metadata(model, PASSPORT)
    if content is None:
        return None
    try:
        return dict(json.loads(content))
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"the passport of {path} cannot be read: {error}", "JSON") from None


def print_json(found: Inspection) -> None:
    """Write the inspection to standard output, one JSON object."""
    values = asdict(found)
    for entry, padding in zip(values["pads"], found.pads, strict=True):
        entry["fused_by_xnnpack"] = padding.fused
    print(json.dumps(values, indent=1))


def print_inspection(found: Inspection) -> None:
    """Write the inspection to the terminal as tables."""
    console = SafeConsole()
    console.print(f"{found.file}: {found.size / 1e6:.2f} MB", markup=False)
    for title, headings, rows in _tables(found):
        if rows:
            table = Table(*headings, title=title, title_justify="left", show_header=any(headings))
            for row in rows:
                table.add_row(*map(escape, row))
            console.print(table)
    if found.passport is None:
        console.print("no passport")


type _Content = tuple[str, list[str], list[list[str]]]
"""Title, headings, rows."""


def _tables(found: Inspection) -> Iterator[_Content]:
    yield (
        "Inputs and outputs",
        ["", "name", "shape (NHWC)", "type", "scale", "zero point"],
        [
            [side, t.name, " x ".join(map(str, t.shape)), t.type, _g(t.scale), _g(t.zero_point)]
            for side, tensors in (("input", found.inputs), ("output", found.outputs))
            for t in tensors
        ],
    )
    yield "Operators", ["", ""], [[name, str(n)] for name, n in found.operators.items()]
    yield (
        "Convolutions with a stride above 1",
        ["", ""],
        [[padding, str(n)] for padding, n in found.strided_convolutions.items()],
    )
    yield (
        "Padding operators",
        ["operator", "writes", "pads", "value", "read by", "fused by XNNPACK"],
        [_padding_row(padding) for padding in found.pads],
    )
    yield (
        "Transpositions",
        ["writes", "permutation"],
        [[t.output, _listed(t.permutation)] for t in found.transposes],
    )
    yield (
        "Engine flags: true pads where the file says SAME",
        ["operator that writes", "top, bottom, left, right"],
        [[name, _listed(pads)] for name, pads in found.engine_flags.items()],
    )
    rows = [[name, _text(value)] for name, value in (found.passport or {}).items()]
    yield "Passport", ["", ""], rows


def _padding_row(padding: Padding) -> list[str]:
    pads = "computed"
    if padding.pads is not None:
        pads = "  ".join(f"{before},{after}" for before, after in padding.pads)
    readers = "\n".join(_reader(reader) for reader in padding.readers)
    fused = "yes" if padding.fused else f"no: {padding.obstacle}"
    return [padding.operator, padding.output, pads, _g(padding.value), readers, fused]


def _reader(reader: Reader) -> str:
    window = reader.window
    if window is None:
        return f"{reader.operator} {reader.output}"
    kernel, stride = ("x".join(map(str, pair)) for pair in (window.kernel, window.stride))
    return f"{reader.operator} {kernel}, stride {stride}, {window.padding}: {reader.output}"


def _listed(values: Sequence[int] | None) -> str:
    return "computed" if values is None else ", ".join(map(str, values))


def _g(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
