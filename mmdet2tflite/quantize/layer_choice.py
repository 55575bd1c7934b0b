"""Which layers of a network ``int8_mixed`` leaves in float32.

1. Every layer's share of the noise is measured (``layer_errors``) on the first 16 calibration
   images.
2. A layer's cost is the mean of two fractions of the network's: of its multiplications, and of the
   values that its operators compute, since activations take about as long as convolutions.
3. Layers with more than an even share of the noise are in question. Of these, candidates are filled
   up to a cost of 5, 10 and 15 %: by descending share, and by descending share per cost, which
   passes over a costly stem. What does not fit any more is passed over.
4. A file is made of each candidate in this order, and the first that halves the noise at the
   outputs is taken. If none does, the one with the least noise is; if that has as much as int8,
   nothing is left in float32.

The same file and images give the same choice: nothing is timed. Shares alone would not do: what
two layers exchange is rounded unless both are float32, so that neighbours are worth more than their
sum.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from mmdet2tflite.quantize.layer_groups import Layer

IMAGES = 16
COSTS = (0.05, 0.1, 0.15)
"""A layer takes about twice as long in float32 as in int8 where integers are worth their while, and
15 % of a network then make it a third slower than int8."""
ENOUGH = 0.5
"""Of the noise; 3 dB."""


def choose_real(
    layers: Sequence[Layer],
    shares: Mapping[str, float],
    noise_left: Callable[[Sequence[Layer]], float],
) -> tuple[list[Layer], float]:
    """The layers to leave in float32, in the network's order, and the noise that is left (rule 4).

    Args:
        shares: of each layer by its name.
        noise_left: of a file with these layers in float32, as a fraction of int8's.
    """
    best: list[Layer] = []
    least = 1.0
    for candidate in candidates(layers, shares):
        left = noise_left(candidate)
        if left < least:
            best, least = candidate, left
        if left <= ENOUGH:
            break
    return best, least


def candidates(layers: Sequence[Layer], shares: Mapping[str, float]) -> Iterator[list[Layer]]:
    """Rules 2 and 3; none that is empty, or the same as the one before."""
    costs = _costs(layers)
    noisy = [layer for layer in layers if shares[layer.name] > 1 / len(layers)]
    last: list[Layer] = []
    for limit in COSTS:
        for worth in (
            {layer.name: shares[layer.name] for layer in noisy},
            {layer.name: shares[layer.name] / costs[layer.name] for layer in noisy},
        ):
            taken: set[str] = set()
            cost = 0.0
            for layer in sorted(noisy, key=lambda layer: -worth[layer.name]):
                if cost + costs[layer.name] <= limit:
                    taken.add(layer.name)
                    cost += costs[layer.name]
            candidate = [layer for layer in layers if layer.name in taken]
            if candidate not in ([], last):
                yield candidate
                last = candidate


def _costs(layers: Sequence[Layer]) -> dict[str, float]:
    """Rule 2; of all layers together 1."""
    multiplications = sum(layer.multiplications for layer in layers) or 1
    values = sum(layer.values for layer in layers)
    return {
        layer.name: (layer.multiplications / multiplications + layer.values / values) / 2
        for layer in layers
    }
