"""Finds out which layers ``int8_mixed`` leaves in float32, by making files and running them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdet2tflite.quantize.layer_choice import choose_real
from mmdet2tflite.quantize.layer_errors import Probe
from mmdet2tflite.quantize.layer_groups import Layer
from mmdet2tflite.quantize.precisions import BITS, Recipe, keep_real, static, writers


@dataclass(frozen=True)
class Mix:
    """What was found out.

    Args:
        shares: of the noise, by the layer's name.
        real: names of the layers to leave in float32.
        noise_left: at the outputs, as a fraction of that with all layers quantised.
    """

    shares: dict[str, float]
    real: frozenset[str]
    noise_left: float


def find_mix(
    reference: bytes,
    layers: Sequence[Layer],
    samples: Sequence[Any],
    quantise: Callable[[Recipe], bytes],
    on_layer: Callable[[int, int], None],
) -> Mix:
    """Measure every layer, then choose (``layer_choice``).

    Args:
        reference: the float32 file.
        samples: inputs of it (1 x H x W x C), at least one.
        quantise: makes a file of it by a recipe.
        on_layer: called before a layer is measured: how many have been, how many there are.
    """
    probe = Probe(reference, samples)
    numbers = {layer.name: number for number, layer in enumerate(layers)}

    def quantise_only(layer: Layer) -> bytes:
        on_layer(numbers[layer.name], len(layers))
        return quantise(static(BITS, tables=True, operators=writers(layer.tensors)))

    shares = probe.shares(layers, quantise_only)
    every = static(BITS, tables=True)
    noise = probe.noise(quantise(every))

    def noise_left(real: Sequence[Layer]) -> float:
        return float(np.mean(probe.noise(quantise(leave(every, real))) / noise))

    real, left = choose_real(layers, shares, noise_left)
    return Mix(shares, frozenset(layer.name for layer in real), left)


def leave(recipe: Recipe, real: Sequence[Layer]) -> Recipe:
    """The recipe without these layers."""
    return keep_real(recipe, [name for layer in real for name in layer.tensors])
