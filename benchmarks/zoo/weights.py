"""Seeded weights under which every layer of a network matters.

1. The seed comes from the name: a network is the same wherever and whenever it is made.
2. Nothing stays a constant: what is initialised with zeros (the last normalisation of a branch,
   layer scales, position embeddings) would hide whatever it multiplies.
3. Batch normalisations get the statistics of pictures of noise: with means of 0 and variances of
   1, signals die out in a deep network, and its outputs are the biases of its last layer. The
   pictures differ in colour, contrast and coarse shapes: of pure noise all deep maps are alike, and
   what divides by their small variance makes the network so steep that rounding decides.
"""

import zlib

import torch
from torch import Tensor, nn

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)

TINY, SMALL = 1e-2, 0.05
BATCHES, BATCH = 2, 4


def seed(name: str) -> None:
    """Rule 1, before the network is built."""
    torch.manual_seed(zlib.crc32(name.encode()))


def randomise(model: nn.Module) -> None:
    """Rule 2."""
    for name, parameter in model.named_parameters():
        values = parameter.data
        if values.numel() == 0 or not values.is_floating_point() or values.min() != values.max():
            continue
        value = float(values.flatten()[0])
        factor = name.endswith(("weight", "gamma", "scale")) and values.ndim == 1
        if abs(value) > TINY:
            values.mul_(torch.empty_like(values).uniform_(0.6, 1.4))
        elif value or factor:
            values.uniform_(0.2, 0.6)
        else:
            values.normal_(0, SMALL)


def set_statistics(model: nn.Module, shape: tuple[int, ...]) -> None:
    """Rule 3. ``shape``: of one input."""
    norms = [each for each in model.modules() if isinstance(each, NORMS)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    with torch.no_grad():
        for _ in range(BATCHES if norms else 0):
            model(pictures(shape))
    for norm in norms:
        norm.eval()


def pictures(shape: tuple[int, ...]) -> Tensor:
    """``BATCH`` of the inputs of rule 3, about as large as normalised pixels are."""
    _, channels, *size = shape
    coarse = nn.functional.interpolate(torch.randn(BATCH, channels, 4, 4), size, mode="bilinear")
    colour, contrast = torch.randn(BATCH, channels, 1, 1), torch.rand(BATCH, 1, 1, 1)
    return 0.6 * colour + coarse + contrast * torch.randn(BATCH, channels, *size)


class Flat(nn.Module):
    """A network whose outputs, however nested, are a tuple of tensors."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """All tensors, in their order."""
        return tuple(tensors(self.model(image)))


def tensors(value: object) -> list[Tensor]:
    """All tensors in nested lists, tuples and dicts; each once."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    found: list[Tensor] = []
    if isinstance(value, (list, tuple)):
        for each in value:
            found += [tensor for tensor in tensors(each) if not any(tensor is f for f in found)]
    return found
