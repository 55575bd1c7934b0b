"""What an operator is told of itself: options, constants, and the integers of its tensors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from torch import Tensor

from mmdet2tflite.errors import ModelError
from mmdet2tflite.tflite.flatbuffer import DTYPES, constant, operator_name
from mmdet2tflite.tflite.windows import Window, window_of

INTEGERS = (np.dtype(np.int8),)
"""Types of quantised tensors that are trained."""
NUMBERS = (np.dtype(np.int32), np.dtype(np.int64))
"""Types of constants that are no values but axes, shapes and the like."""

type ScaleOf = Callable[[int], Tensor]
"""The scale of a tensor by its number: one, or one for each channel of its quantised axis."""


@dataclass(frozen=True)
class Grid:
    """The integers of a quantised tensor, less its zero point: ``low`` to ``high``."""

    zero_point: int
    low: int
    high: int


@dataclass(frozen=True)
class Step:
    """An operator of the graph.

    Args:
        name: ``CONV_2D``.
        options: its options in the flatbuffer, or None.
        inputs: numbers of tensors; -1 stands for none.
        outputs: numbers of tensors.
        numbers: for each input, the content of a constant of ``NUMBERS``, or None.
        grids: for each output, its integers, or None if it is real.
        input_grids: as ``grids``, for each input.
        shapes: of the outputs, with the batch of the file.
        window: of a convolution or pooling.
    """

    name: str
    options: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    numbers: tuple[NDArray[np.int64] | None, ...]
    grids: tuple[Grid | None, ...]
    input_grids: tuple[Grid | None, ...]
    shapes: tuple[tuple[int, ...], ...]
    window: Window | None

    @property
    def grid(self) -> Grid | None:
        """Of the first output."""
        return self.grids[0]

    def number(self, position: int) -> list[int]:
        """The constant numbers at an input.

        Raises:
            ModelError: they are computed.
        """
        values = self.numbers[position] if position < len(self.numbers) else None
        if values is None:
            raise refused(self.name, f"its input {position} is computed")
        return [int(value) for value in values.reshape(-1)]


type Operator = Callable[[Step, Sequence[Tensor | None], ScaleOf], Sequence[Tensor]]
"""Outputs of a step, of its inputs. Values have the axes of the file (NHWC) and any batch; those of
quantised tensors are centred integers."""


def refused(name: str, why: str) -> ModelError:
    """The error for a step that cannot be trained through."""
    return ModelError(
        f"{name} cannot be trained as an integer operator: {why}",
        "an operator of docs/quantisation.md, as a detector has it",
        "leave training.quantised out, or add the operator to quantize/tuning/table.py",
    )


def grid_of(tensor: schema.TensorT) -> Grid | None:
    """The integers of a tensor, None if it is not quantised.

    Raises:
        ModelError: it is quantised, and not to int8; or its zero points differ.
    """
    quantisation = tensor.quantization
    if quantisation is None or quantisation.scale is None or not len(quantisation.scale):
        return None
    dtype = DTYPES.get(tensor.type)
    if dtype in NUMBERS:  # a bias: its scale is that of what it is added to
        return None
    if dtype not in INTEGERS:
        raise ModelError(
            f"the tensor {tensor.name.decode()} is quantised to {dtype or 'an unknown type'}",
            "int8",
            "training.quantised is for the precisions int8 and int8_io",
        )
    points = {int(point) for point in quantisation.zeroPoint}
    if len(points) != 1:
        raise ModelError(
            f"the tensor {tensor.name.decode()} has {len(points)} zero points", "one for all"
        )
    (zero_point,) = points
    limits = np.iinfo(np.int8)
    return Grid(zero_point, int(limits.min) - zero_point, int(limits.max) - zero_point)


def steps_of(model: schema.ModelT) -> list[Step]:
    """The operators of subgraph 0 in their order. Raises ModelError: see ``grid_of``."""
    graph = model.subgraphs[0]
    grids = [grid_of(tensor) for tensor in graph.tensors]
    steps = []
    for operator in graph.operators:
        inputs = tuple(int(index) for index in operator.inputs)
        outputs = tuple(int(index) for index in operator.outputs)
        steps.append(
            Step(
                name=operator_name(model, operator),
                options=operator.builtinOptions,
                inputs=inputs,
                outputs=outputs,
                numbers=tuple(_numbers(model, index) for index in inputs),
                grids=tuple(grids[index] for index in outputs),
                input_grids=tuple(grids[index] if index >= 0 else None for index in inputs),
                shapes=tuple(shape_of(graph.tensors[index]) for index in outputs),
                window=window_of(model, operator),
            )
        )
    return steps


def shape_of(tensor: schema.TensorT) -> tuple[int, ...]:
    """Sides of a tensor; () of a scalar."""
    return () if tensor.shape is None else tuple(int(side) for side in tensor.shape)


def _numbers(model: schema.ModelT, index: int) -> NDArray[np.int64] | None:
    if index < 0:
        return None
    tensor = model.subgraphs[0].tensors[index]
    if DTYPES.get(tensor.type) not in NUMBERS:
        return None
    values = constant(model, tensor)
    return None if values is None else values.astype(np.int64)
