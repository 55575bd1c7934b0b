"""A TFLite graph as a PyTorch module: its operators, with parameters in place of its constants.

1. Real tensors are real; a float32 file becomes the network that it is.
2. Quantised tensors are centred integers (``rounding``), so that the module computes the int8
   file's own numbers: the fake quantiser is the file's arithmetic.
3. A weight is kept in *steps*, multiples of its scale: ``clamp(round(steps))`` is what the file
   stores. It starts from the real weight, which the int8 file has rounded; a channel's scale is a
   gain of that channel. A bias is kept in steps of the output's scale, as a change of what it was.
4. A learnt scale is ``start * exp(parameter)``: one step of an optimizer is a fraction of the
   scale, whatever its size; "Trained Quantization Thresholds" (arXiv 1903.08066) learns logarithms
   for the same reason.
5. At the start the module is the int8 file: an exponent of 0 gives the file's scales to the bit.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from torch import Tensor, nn

from mmdet2tflite.quantize.tuning.fusing import fuse
from mmdet2tflite.quantize.tuning.rounding import requantise, round_through
from mmdet2tflite.quantize.tuning.sharing import find_sharing
from mmdet2tflite.quantize.tuning.steps import Step, grid_of, refused, steps_of
from mmdet2tflite.quantize.tuning.table import FUSED, MOVES, OPERATORS, WEIGHTED
from mmdet2tflite.tflite.flatbuffer import constant

LARGEST_WEIGHT = 127
"""Of a stored weight, and the least is its negative (TFLite's quantisation specification)."""

type Reals = Mapping[str, NDArray[np.float32]]
"""Values of tensors by name."""
type See = Callable[[int, Tensor], Tensor]
"""Takes a tensor's number and its value, centred integers or reals."""


class TfliteNetwork(nn.Module):
    """Subgraph 0 of a model with one input.

    Args:
        model: float32 or int8; not changed.
        weights: real weights by tensor name, as the float32 file has them. One that does not round
            to what the int8 file stores belongs to another tensor and is left out.

    Raises:
        ModelError: an operator is none of the table, a tensor is of another integer type, or an
            operator's tensors are not as it needs them.
    """

    def __init__(self, model: schema.ModelT, weights: Reals | None = None) -> None:
        super().__init__()
        graph = model.subgraphs[0]
        self.steps = steps_of(model)
        for name in dict.fromkeys(step.name for step in self.steps):
            if name not in OPERATORS:
                raise refused(name, f"there is none among {', '.join(sorted(OPERATORS))}")
        self.input = int(graph.inputs[0])
        self.outputs = {graph.tensors[i].name.decode(): int(i) for i in graph.outputs}
        self.sharing = find_sharing(model, self.steps)
        self.grids = {index: grid_of(graph.tensors[index]) for index in self.sharing.leader}
        self._input_grid = grid_of(graph.tensors[self.input])
        self._constants: dict[int, str] = {}
        self._read_scales(model)
        self._read_constants(model, weights or {})
        self._fused = fuse(self.steps, set(self.outputs.values()))
        self._last_use = {index: n for n, step in enumerate(self._fused) for index in step.inputs}

    def forward(self, image: Tensor, see: See = lambda index, value: value) -> dict[str, Tensor]:
        """Outputs by name, as reals with the file's axes.

        Args:
            image: N x H x W x C, real, as the file wants it.
            see: is shown every tensor that is computed, and says what to go on with.
        """
        values: dict[int, Tensor] = {self.input: self._given(image)}
        kept = set(self.outputs.values())
        for number, step in enumerate(self._fused):
            inputs = [self._value(values, index) for index in step.inputs]
            results = (OPERATORS | FUSED)[step.name](step, inputs, self.scale)
            for index, value in zip(step.outputs, results, strict=True):
                values[index] = see(index, value)
            for index in step.inputs:
                if self._last_use[index] == number and index not in kept:
                    values.pop(index, None)
        return {name: self._real(values[index], index) for name, index in self.outputs.items()}

    def scale(self, index: int) -> Tensor:
        """The scale of a quantised tensor: one, or one for each channel."""
        leader = str(self.sharing.leader[index])
        start: Tensor = getattr(self, f"scale_{leader}")
        if leader in self.exponents:
            return start * self.exponents[leader].exp()
        return start

    def weight(self, index: int) -> Tensor:
        """A trained weight as integers."""
        steps = self.weights[str(index)]
        return round_through(steps.clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT))

    def bias(self, index: int) -> Tensor:
        """A trained bias, real."""
        start: Tensor = getattr(self, f"bias_{index}")
        unit: Tensor = getattr(self, f"bias_unit_{index}")
        return start + unit * self.biases[str(index)]

    def rounded(self) -> list[int]:
        """Integer tensors that are rounded from computed reals: ends of layers in float32."""
        return [
            step.outputs[0]
            for step in self.steps
            if step.name == "QUANTIZE"
            and step.inputs[0] != self.input
            and self.grids.get(step.inputs[0]) is None
        ]

    def output_step(self, name: str) -> float | None:
        """The scale of an output, or of the integers that a real output was made of.

        None if it is computed from reals.
        """
        index = self.outputs[name]
        while self.grids.get(index) is None:
            writer = next((step for step in self.steps if index in step.outputs), None)
            if writer is None or writer.name not in {*MOVES, "DEQUANTIZE"}:
                return None
            index = next(i for i in writer.inputs if i >= 0 and i not in self._constants)
        return float(self.scale(index))

    def _read_scales(self, model: schema.ModelT) -> None:
        self.exponents = nn.ParameterDict()
        for leader in sorted(set(self.sharing.leader.values())):
            scales = model.subgraphs[0].tensors[leader].quantization.scale
            start = torch.from_numpy(np.array(scales, np.float32))
            start = start if len(start) > 1 else start[0]
            self.register_buffer(f"scale_{leader}", start)
            if leader in self.sharing.learnt:
                self.exponents[str(leader)] = nn.Parameter(torch.zeros_like(start))

    def _read_constants(self, model: schema.ModelT, weights: Reals) -> None:
        self.weights, self.biases = nn.ParameterDict(), nn.ParameterDict()
        trained: set[int] = set()
        for step in self.steps:
            if step.name in WEIGHTED and step.grid is not None:
                trained.update(self._read_weights(model, step, weights))
        for step in self.steps:
            for index in step.inputs:
                if index < 0 or index in trained or index in self._constants:
                    continue
                value = constant(model, model.subgraphs[0].tensors[index])
                if value is not None:
                    self._constants[index] = f"constant_{index}"
                    self.register_buffer(f"constant_{index}", self._centred(index, value))

    def _centred(self, index: int, value: NDArray[np.generic]) -> Tensor:
        grid = self.grids.get(index)
        found = value.astype(np.float32) if value.dtype.kind == "f" or grid else value
        tensor = torch.from_numpy(np.array(found))
        return tensor - grid.zero_point if grid else tensor

    def _read_weights(self, model: schema.ModelT, step: Step, weights: Reals) -> list[int]:
        """The parameters of a weighted step (rule 3); the numbers of its tensors."""
        image, index, bias = tensors_of(step)
        stored = _stored(model, step, index)
        if str(index) not in self.weights:
            tensor = model.subgraphs[0].tensors[index]
            scales = self.scale(index).detach().numpy()
            if scales.ndim:
                sides = [1] * stored.ndim
                sides[int(tensor.quantization.quantizedDimension)] = -1
                scales = scales.reshape(sides)
            steps = _in_steps(stored, weights.get(tensor.name.decode()), scales)
            self.weights[str(index)] = nn.Parameter(torch.from_numpy(steps))
        if bias < 0:
            return [index]
        if str(bias) in self.biases:
            raise refused(step.name, "its bias is another operator's as well")
        unit = (self.scale(image) * self.scale(index)).detach()
        count = torch.from_numpy(_stored(model, step, bias).astype(np.float32))
        self.register_buffer(f"bias_{bias}", count * unit)
        self.register_buffer(f"bias_unit_{bias}", self.scale(step.outputs[0]).detach().clone())
        self.biases[str(bias)] = nn.Parameter(torch.zeros_like(count))
        return [index, bias]

    def _given(self, image: Tensor) -> Tensor:
        if self._input_grid is None:
            return image
        grid = self._input_grid
        return requantise(image, 1 / self.scale(self.input), grid.low, grid.high)

    def _value(self, values: Mapping[int, Tensor], index: int) -> Tensor | None:
        if index < 0:
            return None
        if index in values:
            return values[index]
        if index in self._constants:
            value: Tensor = getattr(self, self._constants[index])
            return value
        if str(index) in self.weights:
            return self.weight(index)
        return self.bias(index)

    def _real(self, value: Tensor, index: int) -> Tensor:
        return value * self.scale(index) if self.grids.get(index) else value


def tensors_of(step: Step) -> tuple[int, int, int]:
    """Map, weights and bias of a weighted step; -1 where there is no bias."""
    positions = WEIGHTED[step.name]
    inputs = (*step.inputs, -1)
    image, weights, bias = (inputs[min(position, len(step.inputs))] for position in positions)
    return image, weights, bias


def _stored(model: schema.ModelT, step: Step, index: int) -> NDArray[np.generic]:
    value = constant(model, model.subgraphs[0].tensors[index])
    if value is None:
        raise refused(step.name, "its weights are computed")
    return value


def _in_steps(
    stored: NDArray[np.generic], real: NDArray[np.float32] | None, scales: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Weights in multiples of their scale: the real ones if these are what was rounded."""
    found = stored.astype(np.float32)
    if real is None or real.shape != stored.shape:
        return found
    steps = (real / scales).clip(-LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.float32)
    # Halves may have been rounded either way: the start is the file to the digit.
    alike = np.rint(steps) == found
    belongs = np.abs(steps - found).max() <= 0.5 + 1e-3
    return np.where(alike, steps, found) if belongs else found
