"""All networks of the zoo, and the choice of some."""

from collections.abc import Sequence
from fnmatch import fnmatch

from benchmarks.zoo.mmdet_networks import MMDET
from benchmarks.zoo.small_networks import SMALL
from benchmarks.zoo.specimen import Specimen
from benchmarks.zoo.timm_networks import TIMM
from benchmarks.zoo.torchvision_networks import TORCHVISION

CATALOGUE: tuple[Specimen, ...] = (*SMALL, *TORCHVISION, *MMDET, *TIMM)


def choose(patterns: Sequence[str]) -> list[Specimen]:
    """The networks that fit one of the patterns; all of them without any.

    Raises:
        ValueError: none does.
    """
    chosen = [
        specimen
        for specimen in CATALOGUE
        if not patterns or any(fnmatch(specimen.name, pattern) for pattern in patterns)
    ]
    if not chosen:
        raise ValueError(f"no network fits {' '.join(patterns)}: --list shows their names")
    return chosen
