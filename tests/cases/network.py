"""Tiny networks of one kind each, with seeded weights: what strangers' files have in common.

A module of this folder is a group of kinds, and a function a kind: it returns the model, and its
name is the kind's. No converter is known here; ``tests/toolchain/test_cases.py`` converts all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

type Sides = Sequence[int | str | None]

FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64
BOOL, UINT8 = TensorProto.BOOL, TensorProto.UINT8

IMAGE = (1, 3, 12, 16)
MAP = (1, 4, 6, 8)
"""What the stem makes of the image."""


@dataclass
class Net:
    """Grows node by node. ``op`` returns the name of a value, or several where they are asked for.

    Args:
        opset: of the model.
        ir: its IR version; below 4, initializers are inputs as well.
    """

    opset: int = 17
    ir: int = 8
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(11))

    def input(self, name: str = "image", shape: Sides = IMAGE, kind: int = FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value: str, shape: Sides, kind: int = FLOAT, name: str = "") -> None:
        """``value``, or that under another name."""
        for node in self.nodes if name else ():
            node.output[:] = [name if each == value else each for each in node.output]
            node.input[:] = [name if each == value else each for each in node.input]
        self.outputs.append(helper.make_tensor_value_info(name or value, kind, shape))

    def constant(self, values: object, dtype: type = np.float32) -> str:
        name = f"weights_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def whole(self, *numbers: int) -> str:
        """A list of int64."""
        return self.constant(numbers, np.int64)

    def noise(self, *shape: int) -> str:
        """Weights that keep the variance."""
        return self.constant(self.random.standard_normal(shape) / np.sqrt(prod(shape[1:])))

    def op(self, kind: str, *inputs: str, count: int = 1, domain: str = "", **how: object):
        number = len(self.nodes)
        outputs = [f"{kind}_{number}" + (f"_{i}" if count > 1 else "") for i in range(count)]
        node = helper.make_node(kind, inputs, outputs, name=f"/{kind}_{number}", domain=domain)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in how.items())
        self.nodes.append(node)
        return outputs[0] if count == 1 else outputs

    def conv(
        self, x: str, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, **how: object
    ) -> str:
        """With pads of (kernel - 1) // 2, as PyTorch's, and a bias."""
        weights = self.noise(outputs, inputs, kernel, kernel), self.noise(outputs)
        how = {"pads": [(kernel - 1) // 2] * 4, "strides": [stride] * 2} | how
        return self.op("Conv", x, *weights, **how)

    def reshape(self, x: str, *sides: int) -> str:
        return self.op("Reshape", x, self.whole(*sides))

    def model(self, **domains: int) -> onnx.ModelProto:
        """Checked by ``onnx.checker``. ``domains``: operator sets beside the standard's."""
        inputs = list(self.inputs)
        if self.ir < 4:
            inputs += [
                helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in self.weights
            ]
        graph = helper.make_graph(self.nodes, "kind", inputs, self.outputs, self.weights)
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(name, number) for name, number in domains.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=self.ir)
        onnx.checker.check_model(model)
        return model


@dataclass(frozen=True)
class Kind:
    """One kind of network.

    Args:
        make: builds it.
        options: of ``convert``, where it cannot do without.
        says: what the refusal must say, all of it; empty where a right file is expected.
    """

    make: Callable[[], onnx.ModelProto]
    options: tuple[str, ...] = ()
    says: tuple[str, ...] = ()


@dataclass
class Kinds:
    """A group of them, by name."""

    found: dict[str, Kind] = field(default_factory=dict)

    def add(self, *options: str, says: Sequence[str] = ()):
        """Decorates the function that makes one."""

        def register(make: Callable[[], onnx.ModelProto]) -> Callable[[], onnx.ModelProto]:
            self.found[make.__name__] = Kind(make, options, tuple(says))
            return make

        return register


def stem(net: Net, channels: int = 4) -> str:
    """A convolution of stride 2."""
    return net.op("Relu", net.conv(net.input(), 3, channels, stride=2))
