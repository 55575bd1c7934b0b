"""Networks of a convolution, an activation and readers, written by hand."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.tflite.tflite_writer import Writer

MAP = (1, 8, 10)
"""Without channels."""


class Network:
    """Weights come from a seed; ``scales`` multiply the first convolution's channels."""

    def __init__(self, scales: Any = (1, 1, 1, 1), activation: str = "silu") -> None:
        self.rng = np.random.default_rng(0)
        self.writer = Writer()
        self.channels = len(scales)
        self.scales = np.asarray(scales)
        self.image = self.writer.tensor("image", (*MAP, 3))
        kernel = self.rng.normal(size=(self.channels, 3, 3, 3)) * np.reshape(scales, (-1, 1, 1, 1))
        bias = self.rng.normal(size=self.channels) * scales
        self.conv = self._conv("conv", self.image, kernel, bias)
        self.fused(activation if activation in ("RELU", "RELU6") else "NONE")
        made = {"silu": self.silu, "sigmoid": self.sigmoid}
        self.read = made[activation](self.conv) if activation in made else self.conv

    def fused(self, activation: str) -> None:
        options = self.writer.graph.operators[0].builtinOptions
        options.fusedActivationFunction = getattr(schema.ActivationFunctionType, activation)

    def sigmoid(self, source: int) -> int:
        result = self.writer.tensor("sigmoid", (*MAP, self.channels))
        return self.writer.operator("LOGISTIC", [source], result)

    def silu(self, source: int) -> int:
        factors = [source, self.sigmoid(source)]
        product = self.writer.tensor("silu", (*MAP, self.channels))
        return self.writer.operator("MUL", factors, product, schema.MulOptionsT())

    def reader(self, name: str, source: int | None = None, outputs: int = 5) -> int:
        kernel = self.rng.normal(size=(outputs, 3, 3, self.channels))
        source = self.read if source is None else source
        return self._conv(name, source, kernel, self.rng.normal(size=outputs))

    def depthwise_reader(self, name: str, multiplier: int = 1, alike: bool = False) -> int:
        """``alike``: what it writes has like channels, however unlike those are that it reads."""
        outputs = self.channels * multiplier
        kernel = self.rng.normal(size=(1, 3, 3, outputs)) / (self.scales if alike else 1)
        result = self._conv(name, self.read, kernel, self.rng.normal(size=outputs), depthwise=True)
        self.writer.graph.operators[-1].builtinOptions.depthMultiplier = multiplier
        return result

    def padded(self) -> int:
        pads = self.writer.constant("pads", np.array([[0, 0], [1, 2], [2, 1], [0, 0]], np.int32))
        shape = (1, MAP[1] + 3, MAP[2] + 3, self.channels)
        result = self.writer.tensor("padded", shape)
        return self.writer.operator("PAD", [self.read, pads], result, schema.PadOptionsT())

    def operator(self, name: str, *sources: int) -> int:
        options = getattr(schema, f"{name.capitalize()}OptionsT")()
        result = self.writer.tensor(name, (*MAP, self.channels))
        return self.writer.operator(name, sources, result, options)

    def model(self, *outputs: int) -> schema.ModelT:
        named = {f"output_{number}": index for number, index in enumerate(outputs)}
        return self.writer.finish({"image": self.image}, named)

    def _conv(self, name: str, source: int, kernel: Any, bias: Any, depthwise: bool = False) -> int:
        stored = [
            self.writer.constant(f"{name}/{part}", np.asarray(value, np.float32))
            for part, value in (("kernel", kernel), ("bias", bias))
        ]
        height, width = self.writer.graph.tensors[source].shape[1:3]
        result = self.writer.tensor(name, (1, height, width, len(bias)))
        return self.writer.conv(source, *stored, result, same=True, depthwise=depthwise)


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*MAP, 3)).astype(np.float32)
