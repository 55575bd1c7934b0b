"""The fewest layers of a network that stay in float32 for a file to keep its accuracy budget.

1. If the file with all layers in integers keeps the budget, none does.
2. Otherwise every layer's share of the noise is measured (``layer_errors``), and the layers are
   ranked by their share per cost. A layer's cost is the mean of two fractions of the network's: of
   its multiplications, and of the values that its operators compute, since activations take about
   as long as convolutions.
3. Bisection finds how many of the first layers it takes. The loss is taken to fall with their
   number; all of them are float32, which has none.
4. If a layer of more than ``HEAVY`` of the multiplications is among them, as the first convolution
   of a small network may be, the search is made again with all of these layers last. What has
   fewer multiplications in float32 is taken.

Shares alone say how many layers it takes no better than the real file does: what two layers
exchange is rounded unless both are float32, so that neighbours are worth more than their sum.
"""

from collections.abc import Callable, Mapping, Sequence

from mmdet2tflite.quantize.layer_groups import Layer

HEAVY = 0.05
"""Of a network's multiplications."""


def cheapest(
    layers: Sequence[Layer],
    shares: Mapping[str, float],
    loss: Callable[[Sequence[Layer]], float],
    budget: float,
) -> tuple[list[Layer], float]:
    """Rules 2 to 4: the layers that stay float32, and the loss that is left.

    Args:
        shares: of each layer by its name.
        loss: of the file with these layers in float32, in points of mAP.
        budget: that may be lost.
    """
    total = sum(layer.multiplications for layer in layers)

    def heavy(layer: Layer) -> bool:
        return layer.multiplications > HEAVY * total

    order = ranked(layers, shares)
    other = sorted(order, key=heavy)
    found = [fewest(order, loss, budget)]
    if other != order and any(heavy(layer) for layer in found[0][0]):
        found.append(fewest(other, loss, budget))
    return min(found, key=lambda each: sum(layer.multiplications for layer in each[0]))


def ranked(layers: Sequence[Layer], shares: Mapping[str, float]) -> list[Layer]:
    """Rule 2: those first that are worth most.

    Args:
        shares: of each layer by its name.
    """
    costs = costs_of(layers)
    return sorted(layers, key=lambda layer: -shares[layer.name] / costs[layer.name])


def fewest(
    ranked_layers: Sequence[Layer], loss: Callable[[Sequence[Layer]], float], budget: float
) -> tuple[list[Layer], float]:
    """Rule 3: the layers that stay float32, at least one, and the loss that is left.

    Args:
        loss: of the file with these layers in float32, in points of mAP.
        budget: that may be lost.
    """
    too_few, enough = 0, len(ranked_layers)
    left = 0.0
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        found = loss(ranked_layers[:middle])
        if found <= budget:
            enough, left = middle, found
        else:
            too_few = middle
    return list(ranked_layers[:enough]), left


def costs_of(layers: Sequence[Layer]) -> dict[str, float]:
    """Rule 2, by name; of all layers together 1."""
    multiplications = sum(layer.multiplications for layer in layers) or 1
    values = sum(layer.values for layer in layers)
    return {
        layer.name: (layer.multiplications / multiplications + layer.values / values) / 2
        for layer in layers
    }
