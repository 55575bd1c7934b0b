"""A network of the zoo: what it is called, and who makes it."""

from dataclasses import dataclass
from typing import Literal

type Group = Literal["torchvision", "mmdet", "timm", "small"]
type Size = tuple[int, int]
"""Height and width of the input."""

USUAL_SIZE: Size = (96, 96)


@dataclass(frozen=True)
class Specimen:
    """One architecture.

    Args:
        group: who makes it: a module ``make_<group>``.
        what: the maker's name of it.
        family: of architectures, of which it is a small member.
        size: of its image.
    """

    group: Group
    what: str
    family: str
    size: Size = USUAL_SIZE

    @property
    def name(self) -> str:
        """Of its folder and its row: ``timm-resnet18``."""
        return f"{self.group}-{self.what}"
