"""Measures the largest magnitude of every tensor of a file (``magnitude_table``).

1. Looked at are the tensors of reals that an operator reads or writes: the input, constants, and
   what is computed.
2. A PADV2 that poolings for a maximum alone read fills in the lowest number there is, which no
   maximum is: neither the fill nor what it writes counts.
3. Infinity and NaN count as the largest number of float32.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mmdet2tflite.backends.inner_tensors import TensorReader
from mmdet2tflite.backends.magnitude_table import Magnitude, magnitude_table
from mmdet2tflite.tflite.flatbuffer import DTYPES, constant, operator_name, read_model
from mmdet2tflite.tflite.padding_flag import put_pads_back

LARGEST = float(np.finfo(np.float32).max)
MOST_BYTES = 2**30
INPUT = "input"
"""Stands for the operator that writes an input of the graph."""


def largest_magnitudes(
    model: schema.ModelT, samples: Sequence[Mapping[str, NDArray[Any]]]
) -> list[Magnitude]:
    """Run the file and look at every tensor (rules 1 to 3), in the order of its operators.

    Args:
        model: changed on the way: padding flags become the PADs that they stand for.
        samples: at least one, each with a value for every input of the file by name; of one input,
            whatever its name.
    """
    put_pads_back(model)
    reader = TensorReader(model)
    operators = dict(_tensors(model))
    found = dict.fromkeys(operators, 0.0)
    for sample in samples:
        values = sample.values() if len(sample) == 1 else (sample[n] for n in reader.inputs)
        reader.run(*values)
        for index in found:
            found[index] = max(found[index], _largest(reader.read(reader.details[index])))
    return [
        Magnitude(
            tensor=reader.details[index]["name"],
            operator=operators[index],
            shape=tuple(int(side) for side in reader.details[index]["shape"]),
            largest=largest,
        )
        for index, largest in found.items()
    ]


def magnitudes_on(file: Path, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """The ``magnitude_table`` of a converted file.

    It is about no tensor where the file does not run by the builtin kernels alone, or would take
    more than ``MOST_BYTES`` to keep all its tensors: that is no
    reason to refuse a file that computes the right outputs.

    Args:
        inputs: samples x shape of each input, by name.
    """
    model = read_model(file)
    names = list(inputs)
    samples = [dict(zip(names, each, strict=True)) for each in zip(*inputs.values(), strict=True)]
    found: list[Magnitude] = []
    if _bytes(model) <= MOST_BYTES:
        with suppress(RuntimeError, ValueError):  # LiteRT's refusals are of no other kind
            found = largest_magnitudes(model, samples)
    return magnitude_table(found, len(samples))


def _bytes(model: schema.ModelT) -> int:
    """Of all tensors of the main graph, four for each number."""
    return 4 * sum(map(_size, model.subgraphs[0].tensors))


def _tensors(model: schema.ModelT) -> Iterator[tuple[int, str]]:
    """Rules 1 and 2: index of a tensor, name of its operator."""
    graph = model.subgraphs[0]
    ignored = _fills(model)
    named: dict[int, str] = {int(index): INPUT for index in graph.inputs}
    for operator in graph.operators:
        constants = [
            int(i)
            for i in operator.inputs
            if i >= 0 and constant(model, graph.tensors[i]) is not None
        ]
        for index in (*constants, *(int(i) for i in operator.outputs)):
            named.setdefault(index, operator_name(model, operator))
    for index, name in named.items():
        tensor = graph.tensors[index]
        is_real = tensor.type in DTYPES and DTYPES[tensor.type].kind == "f"
        if is_real and _size(tensor) and index not in ignored:
            yield index, name


def _fills(model: schema.ModelT) -> set[int]:
    """Rule 2."""
    operators = model.subgraphs[0].operators
    found: set[int] = set()
    for operator in operators:
        if operator_name(model, operator) != "PADV2":
            continue
        written = operator.outputs[0]
        readers = {operator_name(model, each) for each in operators if written in each.inputs}
        if readers == {"MAX_POOL_2D"}:
            found |= {int(written), int(operator.inputs[2])}
    return found


def _size(tensor: schema.TensorT) -> int:
    return int(np.prod(tensor.shape)) if tensor.shape is not None else 1


def _largest(values: NDArray[Any]) -> float:
    """Rule 3."""
    largest = float(np.abs(values).max())
    return largest if np.isfinite(largest) else LARGEST
