"""What an experiment is begun with: rules, from what a data set holds and on which machine.

Rules:

1. Input size: the median box of the class with the smallest boxes gets ``SMALLEST_SIDE`` pixels,
   two cells of the finest map (stride 8). The longer side is that, within ``LONG_SIDES``, and not
   longer than the pictures'. The shorter one has their shape. Both are rounded up to multiples of
   32.
2. Detector: the smallest of its kind in configs/detectors, of oriented boxes for outlines.
3. Batch: ``BATCH``, or as many as the memory takes, or a quarter of the pictures; a power of two.
4. Epochs: as many as ``ITERATIONS`` take, in tens, within ``EPOCHS``; without a GPU no more than an
   hour takes, but the fewest all the same.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from mmdet2tflite.config.base import Size
from mmdet2tflite.config.experiment import STRIDE_OF_COARSEST_MAP

SMALLEST_SIDE = 16
LONG_SIDES = (320, 640)
FEW_BOXES = 10
"""A class with fewer does not decide the size, where another one has more."""
BATCH = 16
ITERATIONS, ITERATIONS_ON_GPU = 1500, 5000
EPOCHS = (20, 300)
LONGEST = 3600.0
"""Seconds of a training without a GPU."""


@dataclass(frozen=True)
class Network:
    """A detector that is proposed.

    Args:
        core_seconds: of a core, to train on a megapixel of input: YOLOX-nano's 8 minutes for 12,300
            pictures of 320x256 on two cores, rotated RTMDet-nano's 13 for 16,000 of 256x160
            (docs/results.md, configs/experiments/rotated_digits.yaml). None: not measured.
        gigabytes: of memory for a megapixel of input in a batch; an upper estimate.
    """

    config: Path
    core_seconds: float | None
    gigabytes: float


UPRIGHT = Network(Path("configs/detectors/yolox_nano.py"), 1.0, 3.0)
ORIENTED = Network(Path("configs/detectors/rotated_rtmdet_nano.py"), 2.4, 4.0)


UNKNOWN_GIGABYTES = 8.0
"""For a megapixel, of a detector that nothing is known of; an upper estimate."""


@dataclass(frozen=True)
class Facts:
    """What is known of a data set.

    Args:
        sizes: width and height of pictures.
        sides: class → of each box, the root of its area as a fraction of the picture's longer side.
        train: pictures to learn from.
    """

    sizes: Sequence[Size]
    sides: Mapping[str, Sequence[float]]
    train: int
    oriented: bool = False

    def of(self, classes: Collection[str]) -> "Facts":
        """The same of some classes."""
        return replace(
            self, sides={name: sides for name, sides in self.sides.items() if name in classes}
        )


@dataclass(frozen=True)
class Machine:
    """``memory``: bytes that a training may take."""

    cores: int
    memory: float
    gpu: bool


@dataclass(frozen=True)
class Setting:
    """A value, and why it is this one."""

    value: Any
    why: str


def input_size(facts: Facts) -> Setting:
    """Width and height in pixels (rule 1)."""
    width, height = (round(median(size[at] for size in facts.sizes)) for at in (0, 1))
    longest = max(width, height)
    plenty = {name: sides for name, sides in facts.sides.items() if len(sides) >= FEW_BOXES}
    medians = {name: median(sides) for name, sides in (plenty or facts.sides).items() if sides}
    name = min(medians, key=lambda each: (medians[each], each))
    wanted = SMALLEST_SIDE / medians[name]
    lowest, highest = LONG_SIDES
    long_side = _rounded_up(min(max(wanted, lowest), highest, longest))
    short_side = _rounded_up(long_side * min(width, height) / longest)
    size = [long_side, short_side] if width >= height else [short_side, long_side]
    small = medians[name] * long_side
    why = f"the median box of {name} has {small:.0f} px there; pictures: {width}x{height}"
    if wanted > long_side:
        why += f"; {SMALLEST_SIDE} px would take {_rounded_up(wanted)}"
    return Setting(size, why)


def detector(facts: Facts) -> tuple[Network, str]:
    """The network, and why (rule 2)."""
    if facts.oriented:
        return ORIENTED, "the smallest one for oriented boxes"
    return UPRIGHT, "the smallest one; docs/detectors.md lists more"


def network_of(config: str) -> Network:
    """What is known of a detector. Of one that is not proposed it is little."""
    known = {str(network.config): network for network in (UPRIGHT, ORIENTED)}
    return known.get(config) or Network(Path(config), None, UNKNOWN_GIGABYTES)


def batch_size(facts: Facts, size: Sequence[int], network: Network, machine: Machine) -> Setting:
    """Pictures of an iteration (rule 3)."""
    fits = machine.memory / 1e9 / (network.gigabytes * _megapixels(size))
    most = {
        "the usual number": BATCH,
        f"what {machine.memory / 1e9:.0f} GB of memory take": fits,
        f"a quarter of {facts.train} pictures": facts.train / 4,
    }
    why = min(most, key=lambda each: most[each])
    return Setting(2 ** max(0, math.floor(math.log2(max(1.0, most[why])))), why)


def epochs(
    facts: Facts, size: Sequence[int], batch: int, network: Network, machine: Machine
) -> Setting:
    """Passes over the training pictures (rule 4)."""
    iterations = ITERATIONS_ON_GPU if machine.gpu else ITERATIONS
    wanted = iterations * batch / facts.train
    an_epoch = None
    if network.core_seconds is not None and not machine.gpu:
        an_epoch = facts.train * _megapixels(size) * network.core_seconds / machine.cores
        wanted = min(wanted, LONGEST / an_epoch)
    fewest, most = EPOCHS
    number = min(max(10 * math.ceil(wanted / 10), fewest), most)
    why = f"{number * math.ceil(facts.train / batch):,} iterations"
    if an_epoch is not None:
        cores = f"{machine.cores} core{'s' if machine.cores > 1 else ''}"
        why += f", about {math.ceil(number * an_epoch / 60):,} min on {cores}"
    return Setting(number, why)


def _megapixels(size: Sequence[int]) -> float:
    return size[0] * size[1] / 1e6


def _rounded_up(side: float) -> int:
    return STRIDE_OF_COARSEST_MAP * max(1, math.ceil(side / STRIDE_OF_COARSEST_MAP))
