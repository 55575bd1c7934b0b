"""How far a network's outputs are from its teacher's, as a detector's outputs count.

1. A map of scores (classes, objectness, centerness, heat) is compared as probabilities: the
   Kullback-Leibler divergence of sigmoid(teacher) and sigmoid(student), summed, over the sum of
   the teacher's probabilities. Where neither sees anything, no difference counts.
2. Any other map (boxes, angles …) is compared by squares, over the teacher's power. Each cell
   counts as much as the teacher's score there, the product of the probabilities of rule 1 at its
   stride, the best class: a box that nobody looks at may be anything.
3. Outputs that no detector's head is known to have, or that have other shapes, are compared by
   squares over the teacher's power, each cell as much as another.
4. What an error is divided by is the mean over all images that were seen until then: in an image
   with next to no objects an error counts as much as in another one, and not a hundred times more.
5. The loss is the mean over the outputs.

"Distilling the Knowledge in a Neural Network" (arXiv 1503.02531) for the loss on probabilities; the
teacher of an int8 network is the same network in float32 ("Apprentice", arXiv 1711.05852).
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from mmdet2tflite.passport import Head

SCORES = ("cls", "obj", "centerness", "heatmap")
"""Names of outputs that are logits, before ``_<stride>`` (``runtime.decode.families``)."""
LEAST = 1e-6
"""Added to what is divided by."""

type Outputs = Mapping[str, Tensor]
"""Reals by name, each N x H x W x C if it is a map."""


class DistillationLoss:
    """The loss, and the teacher's powers of which it is a fraction (rule 4).

    Args:
        head: says which outputs are scores; None if nobody knows what they mean.
    """

    def __init__(self, head: Head | None) -> None:
        self._sigmoid = head is not None and head.family and head.score_function == "sigmoid"
        self._powers: dict[str, float] = {}
        self._images = 0

    def see(self, teacher: Outputs) -> None:
        """Take a batch of the teacher's into account from now on."""
        self._images += len(next(iter(teacher.values())))
        for name, wanted in teacher.items():
            kind, stride = _parts(name)
            if self._is_score(kind):
                power = wanted.sigmoid().sum()
            else:
                power = (self._weights(teacher, stride, wanted) * wanted**2).sum()
            self._powers[name] = self._powers.get(name, 0.0) + power.item()

    def __call__(self, student: Outputs, teacher: Outputs) -> Tensor:
        """One number, 0 where the student is the teacher; both of the same images."""
        losses = []
        for name, wanted in teacher.items():
            found, (kind, stride) = student[name], _parts(name)
            if self._is_score(kind):
                error = _divergence(found, wanted)
            else:
                error = (self._weights(teacher, stride, wanted) * (found - wanted) ** 2).sum()
            losses.append(error / (len(wanted) * self._powers[name] / self._images + LEAST))
        return torch.stack(losses).mean()

    def _is_score(self, kind: str) -> bool:
        return bool(self._sigmoid) and kind in SCORES

    def _weights(self, teacher: Outputs, stride: str, like: Tensor) -> Tensor:
        """Rules 2 and 3: N x H x W x 1."""
        scores = _cell_scores(teacher, stride, like) if self._sigmoid else None
        return torch.ones_like(like[..., :1]) if scores is None else scores


def _parts(name: str) -> tuple[str, str]:
    kind, _, stride = name.rpartition("_")
    return kind, stride


def _divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Rule 1, before its division."""
    probabilities = teacher.sigmoid()
    cross = F.binary_cross_entropy_with_logits(student, probabilities, reduction="sum")
    return cross - F.binary_cross_entropy_with_logits(teacher, probabilities, reduction="sum")


def _cell_scores(teacher: Outputs, stride: str, like: Tensor) -> Tensor | None:
    """Rule 2: N x H x W x 1, or None if there is no score of each cell."""
    product: Tensor | None = None
    for kind in SCORES:
        logits = teacher.get(f"{kind}_{stride}")
        if logits is not None and logits.ndim == 4 and logits.shape[:3] == like.shape[:3]:
            best = logits.amax(-1, keepdim=True).sigmoid()
            product = best if product is None else product * best
    return product
