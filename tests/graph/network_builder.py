"""Grows an ONNX network node by node; knows the form of every operator at every opset drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf, log2
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

RARELY, SOMETIMES, OFTEN = 0.1, 0.3, 0.5
EXACT = 2**24
"""float32 holds every integer up to here."""
WEIGHTS = np.array([-2, -1, 1, 2])
"""No weight is zero: every tap of every window shows in the output."""


@dataclass(frozen=True)
class Map:
    """A value of N x C x H x W.

    Args:
        name: of the value.
        channels, height, width: its shape.
        bound: no element is larger.
        fraction: elements are whole multiples of 2^-fraction; infinite if they have been rounded.
    """

    name: str
    channels: int
    height: int
    width: int
    bound: float
    fraction: float = 0

    def __post_init__(self) -> None:
        if self.bound > EXACT / 2**self.fraction:
            object.__setattr__(self, "fraction", inf)

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width

    @property
    def exact(self) -> bool:
        """Every way to compute it in float32 gives the same bits."""
        return self.fraction < inf


class Output(NamedTuple):
    """An output of the network.

    Args:
        name: of the value.
        rank: its number of axes.
        exact: every way to compute it in float32 gives the same bits.
    """

    name: str
    rank: int
    exact: bool


@dataclass
class Builder:
    """The network so far.

    Args:
        opset: of the standard operators.
        image: the input.
        named: whether nodes have names.
        constants_as_nodes: weights come from ``Constant`` nodes instead of initializers.
    """

    opset: int
    image: Map
    named: bool = True
    constants_as_nodes: bool = False
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    maps: list[Map] = field(default_factory=list)
    outputs: dict[str, "Output"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.maps.append(self.image)

    def floats(self, numbers: ArrayLike) -> str:
        """A constant of float32."""
        return self.constant(np.asarray(numbers, np.float32))

    def integers(self, numbers: Sequence[int]) -> str:
        """A constant of int64, as shapes and axes are."""
        return self.constant(np.asarray(numbers, np.int64))

    def constant(self, array: np.ndarray) -> str:
        """A constant of the array's own type."""
        name = f"c{len(self.nodes)}_{len(self.initializers)}"
        if self.constants_as_nodes:
            value = numpy_helper.from_array(array)
            self.nodes.append(helper.make_node("Constant", [], [name], value=value))
        else:
            self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def node(self, op_type: str, inputs: Sequence[str], outputs: int = 1, **attributes: object):
        """Add a node; returns the name of its output, or a list of names if there are several."""
        number = len(self.nodes)
        names = [f"v{number}" if outputs == 1 else f"v{number}_{i}" for i in range(outputs)]
        name = f"/net/{op_type}_{number}" if self.named else ""
        self.nodes.append(helper.make_node(op_type, inputs, names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    # Operators whose form depends on the opset.

    def slice(self, x: str, starts: list[int], ends: list[int], axes: list[int], steps: list[int]):
        """Steps other than 1 need opset 10; below it, a convolution of one tap picks the rows."""
        if self.opset < 10:
            assert all(step == 1 for step in steps)
            return self.node("Slice", [x], starts=starts, ends=ends, axes=axes)
        numbers = [self.integers(each) for each in (starts, ends, axes, steps)]
        if all(step == 1 for step in steps):
            numbers.pop()
        return self.node("Slice", [x, *numbers])

    def pad(self, x: str, pads: list[int], mode: str, value: float) -> str:
        """``pads``: of N, C, H, W at the beginning, then at the end."""
        if self.opset < 11:
            return self.node("Pad", [x], pads=pads, mode=mode, value=float(value))
        if self.opset >= 18 and not any(pads[:2] + pads[4:6]):
            spatial = self.integers(pads[2:4] + pads[6:])
            axes = self.integers([2, 3])
            return self.node("Pad", [x, spatial, self.floats(value), axes], mode=mode)
        inputs = [x, self.integers(pads)]
        if value:
            inputs.append(self.floats(value))
        return self.node("Pad", inputs, mode=mode)

    def clip(self, x: str, low: float | None, high: float | None) -> str:
        if self.opset < 11:
            limits = {"min": low, "max": high}
            limits = {name: float(limit) for name, limit in limits.items() if limit is not None}
            return self.node("Clip", [x], **limits)
        inputs = ["" if limit is None else self.floats(limit) for limit in (low, high)]
        return self.node("Clip", [x, *inputs] if high is not None else [x, *inputs[:1]])

    def reduce(self, op_type: str, x: str, axes: list[int], keep: bool) -> str:
        """``ReduceMean`` or ``ReduceMax``."""
        if self.opset < 18:
            return self.node(op_type, [x], axes=axes, keepdims=int(keep))
        return self.node(op_type, [x, self.integers(axes)], keepdims=int(keep))

    def unsqueeze(self, x: str, axis: int) -> str:
        if self.opset < 13:
            return self.node("Unsqueeze", [x], axes=[axis])
        return self.node("Unsqueeze", [x, self.integers([axis])])

    def split(self, x: str, parts: list[int], axis: int) -> list[str]:
        if self.opset < 13:
            return self.node("Split", [x], len(parts), axis=axis, split=parts)
        return self.node("Split", [x, self.integers(parts)], len(parts), axis=axis)

    def resize(self, x: Map, factors: Sequence[float], by_sizes: bool, **how: str) -> str:
        """``Upsample`` below opset 11 (asymmetric, as it was before the word)."""
        if self.opset < 11:
            return self.node("Upsample", [x.name, self.floats([1, 1, *factors])], mode=how["mode"])
        empty = self.floats([]) if self.opset < 13 else ""
        if not by_sizes:
            return self.node("Resize", [x.name, empty, self.floats([1, 1, *factors])], **how)
        sizes = [int(size * factor) for size, factor in zip(x.size, factors, strict=True)]
        sides = self.integers([1, x.channels, *sizes])
        return self.node("Resize", [x.name, empty, empty, sides], **how)

    def reshape(self, x: str, *sides: int) -> str:
        """``sides`` without the batch, which stays what it is."""
        return self.node("Reshape", [x, self.integers([0, *sides])])

    # Numbers that stay exact.

    def room(self, x: Map, growth: float) -> Map:
        """``x``, made smaller if sums of ``growth`` times its bound would not be exact.

        A rounded map is scaled by a power of two instead: to clip it would magnify its errors.
        """
        if not x.exact:
            return self.scaled(x, 64)
        if x.bound * growth <= EXACT / 2**x.fraction:
            return x
        limit = 2 ** max(2, int(log2(EXACT / growth) - x.fraction))
        return replace(x, name=self.clip(x.name, -limit, limit), bound=limit)

    def scaled(self, x: Map, bound: float) -> Map:
        """``x`` times the power of two that brings it within ``bound``."""
        if x.bound <= bound:
            return x
        power = int(np.ceil(log2(x.bound / bound)))
        name = self.node("Mul", [x.name, self.floats(2.0**-power)])
        return replace(x, name=name, bound=x.bound / 2**power, fraction=x.fraction + power)

    def gentle(self, x: Map) -> Map:
        """``x``, such that no exponential magnifies its rounding errors."""
        return x if x.exact else self.scaled(x, 8)

    def finish(self, batch: int | str) -> onnx.ModelProto:
        image = helper.make_tensor_value_info(
            self.image.name, TensorProto.FLOAT, [batch, *self.image.shape]
        )
        outputs = [
            helper.make_tensor_value_info(
                y.name, TensorProto.FLOAT, [batch] + [None] * (y.rank - 1)
            )
            for y in self.outputs.values()
        ]
        graph = helper.make_graph(self.nodes, "random", [image], outputs, self.initializers)
        opset = helper.make_opsetid("", self.opset)
        return helper.make_model(graph, opset_imports=[opset], ir_version=8)


type Layer = Callable[[Builder, np.random.Generator, Map], Map | None]
"""Adds one layer that reads the map; None where the layer does not fit it."""
type Head = Callable[[Builder, np.random.Generator, Map], Output]
"""Adds the end of a branch."""
