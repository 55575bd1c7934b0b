"""Keeps scales away from where LOGISTIC's and TANH's tables hang on the last bit of an exponential.

Both operators are tables of 256 entries, each a rounded function of a real. All other arithmetic
of an int8 network is made of exactly rounded sums and products, but two libraries' exponentials
differ in the last bit, and so do their tables where the unrounded entry is almost a half. One entry
in the wrong place is one step off, and a network may make much of that. So an input's scale is
enlarged by 0.001 % until no entry is that near to a half.
"""

import torch

from mmdet2tflite.quantize.tuning.network import TfliteNetwork
from mmdet2tflite.quantize.tuning.steps import Step

FUNCTIONS = {"LOGISTIC": torch.sigmoid, "TANH": torch.tanh}
NEAREST = 1e-4
"""Of an unrounded entry to a half, in steps: some three roundings of float32 at 256."""
NUDGE = 1e-5
TRIES = 1000


@torch.no_grad()
def avoid_ties(network: TfliteNetwork) -> None:
    """Nudge learnt scales in place; those that are not learnt stay."""
    for step in network.steps:
        if step.name not in FUNCTIONS or step.grid is None:
            continue
        exponent = network.exponents.get(str(network.sharing.leader[step.inputs[0]]))
        tries = 0
        while exponent is not None and nearest_half(network, step) < NEAREST and tries < TRIES:
            exponent += NUDGE
            tries += 1


def nearest_half(network: TfliteNetwork, step: Step) -> float:
    """How near an entry of the step's table is to a half, in steps."""
    grid = step.input_grids[0]
    assert grid is not None
    inputs = torch.arange(grid.low, grid.high + 1, dtype=torch.float64)
    reals = FUNCTIONS[step.name](inputs * network.scale(step.inputs[0]).double())
    entries = reals / network.scale(step.outputs[0]).double()
    return (entries - entries.floor() - 0.5).abs().min().item()
