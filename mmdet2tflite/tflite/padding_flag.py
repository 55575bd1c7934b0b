"""The padding flag: true pads, in a file's metadata, of operators that are written SAME.

The format and what a backend has to do are described in docs/engine-flag.md:

1. The metadata entry ``mmdet2tflite.padding`` is JSON in UTF-8: ``{"version": 1, "operators":
   [{"subgraph": 0, "output": NAME, "pads": [top, bottom, left, right]}]}``.
2. NAME is the tensor that the operator writes: CONV_2D, DEPTHWISE_CONV_2D, MAX_POOL_2D or
   AVERAGE_POOL_2D in the main graph.
3. The file says SAME there. A backend that honours the flag pads by ``pads`` instead, and computes
   VALID on the result: n = floor((H + b + e - K) / s) + 1, the size that the file states.
4. A convolution is padded with real zeros, which a quantised tensor stores as its zero point; a max
   pooling with values that it never picks. An average pooling has no pads other than 0.

Needs numpy, flatbuffers and ai-edge-litert, nothing else.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from mmdet2tflite.errors import ModelError
from mmdet2tflite.geometry import Axis
from mmdet2tflite.tflite.flatbuffer import (
    DTYPES,
    copy_tensor,
    new_constant,
    new_operator,
    operator_name,
    read_metadata,
    read_model,
    serialise,
    write_metadata,
)
from mmdet2tflite.tflite.windows import CONVOLUTIONS, POOLINGS, window_of

FLAGS = "mmdet2tflite.padding"
"""Name of the metadata entry (rule 1)."""
VERSION = 1

type Pads = tuple[int, int, int, int]
"""Rows and columns of padding: top, bottom, left, right."""


@dataclass(frozen=True)
class _FlaggedOperator:
    """A flagged operator, and its place in the main graph's list."""

    number: int
    operator: schema.OperatorT
    name: str


def write_flags(model: schema.ModelT, flags: Mapping[str, Pads]) -> None:
    """Put the flags into the metadata, in place of earlier ones.

    Flags name tensors, so rename these before.

    Args:
        flags: true pads by the name of the tensor that the operator writes.

    Raises:
        ModelError: a flag contradicts the file (rules 2 to 4).
    """
    for name, pads in flags.items():
        _find(model, name, pads)
    operators = [
        {"subgraph": 0, "output": name, "pads": list(pads)} for name, pads in flags.items()
    ]
    content = json.dumps({"version": VERSION, "operators": operators}, ensure_ascii=False)
    write_metadata(model, FLAGS, content.encode())


def read_flags(model: schema.ModelT) -> dict[str, Pads]:
    """True pads by the name of the tensor that the operator writes; empty without an entry.

    Raises:
        ModelError: the entry is not of this version, or it contradicts the file (rules 1 to 4).
    """
    content = read_metadata(model, FLAGS)
    if content is None:
        return {}
    entries = list(_entries(content))
    flags = dict(entries)
    if len(flags) != len(entries):
        raise ModelError(f"two entries of {FLAGS} for one operator", "one entry for each")
    for name, pads in flags.items():
        _find(model, name, pads)
    return flags


def put_pads_back(model: schema.ModelT) -> None:
    """The reference backend: what the flags mean, said with PAD operators, in place (rules 3, 4).

    No flag is left: the model is an ordinary one afterwards.

    Raises:
        ModelError: as ``read_flags``.
    """
    for name, pads in read_flags(model).items():
        flagged = _find(model, name, pads)
        if any(pads):
            _insert_pad(model, flagged, pads)
        flagged.operator.builtinOptions.padding = schema.Padding.VALID
    write_flags(model, {})


def open_flagged(path: Path | str, **interpreter_options: Any) -> Interpreter:
    """LiteRT on a file whose flags are honoured; without flags, on the file as it is.

    Args:
        path: the file.
        interpreter_options: as LiteRT's ``Interpreter`` takes them (``num_threads`` …).

    Raises:
        ModelError: the file cannot be read, or as ``read_flags``.
    """
    model = read_model(Path(path))
    put_pads_back(model)
    return Interpreter(model_content=serialise(model), **interpreter_options)


def _entries(content: bytes) -> Iterator[tuple[str, Pads]]:
    try:
        document = json.loads(content)
        version = document["version"]
        if version != VERSION:
            raise ModelError(
                f"version {version} of the entry {FLAGS}",
                f"version {VERSION}",
                "use a newer mmdet2tflite: padding that is not understood must not be ignored",
            )
        for entry in document["operators"]:
            if entry["subgraph"] != 0:
                raise ModelError(
                    f"a padding flag in subgraph {entry['subgraph']}", "subgraph 0, the main graph"
                )
            top, bottom, left, right = entry["pads"]
            yield str(entry["output"]), (top, bottom, left, right)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"the entry {FLAGS} cannot be read: {error!r}", "the format of docs/engine-flag.md"
        ) from None


def _find(model: schema.ModelT, output: str, pads: Pads) -> _FlaggedOperator:
    """The flagged operator. Raises ModelError (rules 2 to 4)."""
    graph = model.subgraphs[0]
    found = [
        _FlaggedOperator(number, operator, operator_name(model, operator))
        for number, operator in enumerate(graph.operators)
        if output.encode() in [graph.tensors[index].name for index in operator.outputs]
    ]
    if len(found) != 1:
        raise ModelError(
            f"{len(found)} operators write the tensor {output}, which has a padding flag",
            "exactly one",
            "write the flags after the last tool that renames tensors",
        )
    flagged = found[0]
    problem = _problem(model, flagged, pads)
    if problem:
        raise ModelError(
            f"the padding flag {list(pads)} of {flagged.name} {output}: {problem}",
            "pads of an operator that is written SAME, which give the size that the file states",
        )
    return flagged


def _problem(model: schema.ModelT, flagged: _FlaggedOperator, pads: Pads) -> str:
    window = window_of(model, flagged.operator)
    if window is None:
        return f"the operator is none of {', '.join(CONVOLUTIONS + POOLINGS)}"
    if not window.same:
        return "the operator is written VALID"
    if not all(type(pad) is int and pad >= 0 for pad in pads):
        return "a pad is not a whole number of 0 or more"
    if flagged.name == "AVERAGE_POOL_2D" and any(pads):
        return "an average pooling cannot be padded with values that do not count"
    tensors = model.subgraphs[0].tensors
    kind = tensors[flagged.operator.inputs[0]].type
    if kind not in DTYPES:
        return f"the input is of type {kind}"
    sizes = tensors[flagged.operator.inputs[0]].shape[1:3]
    stated = [int(side) for side in tensors[flagged.operator.outputs[0]].shape[1:3]]
    try:
        computed = [
            Axis(
                size=int(sizes[i]),
                kernel=window.kernel[i],
                stride=window.stride[i],
                dilation=window.dilation[i],
                begin=pads[2 * i],
                end=pads[2 * i + 1],
            ).output
            for i in (0, 1)
        ]
    except ModelError as error:
        return error.found
    return "" if computed == stated else f"they give {computed}, the file says {stated}"


def _insert_pad(model: schema.ModelT, flagged: _FlaggedOperator, pads: Pads) -> None:
    graph, operator = model.subgraphs[0], flagged.operator
    source = int(operator.inputs[0])
    top, bottom, left, right = pads
    table = np.array([(0, 0), (top, bottom), (left, right), (0, 0)], np.int32)
    tensor = graph.tensors[source]
    padded = copy_tensor(graph, source, "_padded", np.array(tensor.shape) + table.sum(axis=1))
    inputs = [source, new_constant(model, "pads", table)]
    builtin, options = schema.BuiltinOperator.PAD, schema.PadOptionsT()
    if flagged.name == "MAX_POOL_2D":  # rule 4
        builtin, options = schema.BuiltinOperator.PADV2, schema.PadV2OptionsT()
        lowest = np.array([_lowest(DTYPES[tensor.type])], DTYPES[tensor.type])
        inputs.append(new_constant(model, "lowest", lowest, tensor.quantization))
    # Versions as in GetBuiltinOperatorVersion (TensorFlow Lite's op_version.cc).
    version = {schema.TensorType.INT8: 2, schema.TensorType.INT16: 3}.get(tensor.type, 1)
    pad = new_operator(model, builtin, version, options, inputs, padded)
    graph.operators.insert(flagged.number, pad)
    operator.inputs = np.array([padded, *operator.inputs[1:]], np.int32)


def _lowest(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).min if dtype.kind == "f" else np.iinfo(dtype).min)
