"""Finds out which layers of an int8 file stay in float32, by making files and running them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.errors import ModelError
from mmdet2tflite.quantize.layer_choice import cheapest
from mmdet2tflite.quantize.layer_errors import Probe
from mmdet2tflite.quantize.layer_groups import Layer
from mmdet2tflite.quantize.precisions import BITS, Recipe, keep_real, static, writers

IMAGES = 4
"""That each layer is measured on; each takes a file of its own."""


@dataclass(frozen=True)
class Budget:
    """What an int8 file may lose.

    Args:
        points: of mAP, against the float32 file.
        loss: estimates what a finished file loses, in these points.
    """

    points: float
    loss: Callable[[schema.ModelT], float]


@dataclass(frozen=True)
class Mix:
    """What was found out.

    Args:
        shares: of the noise, by the layer's name; empty where none had to be measured.
        real: names of the layers to leave in float32.
        loss_in_integers: estimated points of mAP that the file without these loses.
        loss: that it loses with them.
    """

    shares: dict[str, float]
    real: frozenset[str]
    loss_in_integers: float
    loss: float


def find_mix(
    reference: bytes,
    layers: Sequence[Layer],
    samples: Sequence[Any],
    quantise: Callable[[Recipe], bytes],
    loss: Callable[[Sequence[Layer]], float],
    points: float,
    on_layer: Callable[[int, int], None],
) -> Mix:
    """Keep a budget with the fewest layers in float32 (``layer_choice``).

    Args:
        reference: the float32 file.
        layers: that may stay float32.
        samples: inputs of it (1 x H x W x C), at least one.
        quantise: makes a file of it by a recipe.
        loss: of the finished file with these layers in float32, in points of mAP.
        points: that may be lost.
        on_layer: called before a layer is measured: how many have been, how many there are.

    Raises:
        ModelError: no layer may be of integers.
    """
    plain = loss(())
    if plain <= points:
        return Mix({}, frozenset(), plain, plain)
    probe = Probe(reference, samples[:IMAGES])
    numbers = {layer.name: number for number, layer in enumerate(layers)}

    def quantise_only(layer: Layer) -> bytes:
        on_layer(numbers[layer.name], len(layers))
        return quantise(static(BITS, tables=True, operators=writers(layer.tensors)))

    shares = probe.shares(layers, quantise_only)
    real, left = cheapest(layers, shares, loss, points)
    if len(real) == len(layers):
        raise ModelError(
            f"in integers it loses {plain:.1f} points of mAP, and with a single layer in integers "
            f"more than {points:g}",
            "a file that keeps variants.accuracy_budget",
            "allow more, take float16 or int8_dynamic, or let training.quantised tune the file",
        )
    return Mix(shares, frozenset(layer.name for layer in real), plain, left)


def leave(recipe: Recipe, real: Sequence[Layer]) -> Recipe:
    """The recipe without these layers."""
    return keep_real(recipe, [name for layer in real for name in layer.tensors]) if real else recipe
