"""How far a network's outputs are from its teacher's, as a detector's outputs count.

1. A map of scores (classes, objectness, centerness, heat) is compared as probabilities: the
   Kullback-Leibler divergence of sigmoid(teacher) and sigmoid(student), summed, over the sum of
   the teacher's probabilities. Where neither sees anything, no difference counts.
2. Any other map (boxes, angles …) is compared by squares, over the teacher's power. Each cell
   counts as much as the teacher's score there, the product of the probabilities of rule 1 at its
   stride, the best class: a box that nobody looks at may be anything.
3. Outputs that no detector's head is known to have, or that have other shapes, are compared by
   squares over the teacher's power, each cell as much as another.
4. The loss is the mean over the outputs.

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


def distillation_loss(student: Outputs, teacher: Outputs, head: Head | None) -> Tensor:
    """One number, 0 where the student is the teacher.

    Args:
        head: says which outputs are scores; None if nobody knows what they mean.
    """
    sigmoid = head is not None and head.family is not None and head.score_function == "sigmoid"
    losses = []
    for name, wanted in teacher.items():
        found, (kind, stride) = student[name], _parts(name)
        if sigmoid and kind in SCORES:
            losses.append(_divergence(found, wanted))
        elif sigmoid and (weights := _cell_scores(teacher, stride, wanted)) is not None:
            losses.append(_squares(found, wanted, weights))
        else:
            losses.append(_squares(found, wanted, torch.ones_like(wanted[..., :1])))
    return torch.stack(losses).mean()


def _parts(name: str) -> tuple[str, str]:
    kind, _, stride = name.rpartition("_")
    return kind, stride


def _divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Rule 1."""
    probabilities = teacher.sigmoid()
    cross = F.binary_cross_entropy_with_logits(student, probabilities, reduction="sum")
    entropy = F.binary_cross_entropy_with_logits(teacher, probabilities, reduction="sum")
    return (cross - entropy) / (probabilities.sum() + LEAST)


def _cell_scores(teacher: Outputs, stride: str, like: Tensor) -> Tensor | None:
    """Rule 2: N x H x W x 1, or None if there is no score of each cell."""
    product: Tensor | None = None
    for kind in SCORES:
        logits = teacher.get(f"{kind}_{stride}")
        if logits is not None and logits.ndim == 4 and logits.shape[:3] == like.shape[:3]:
            best = logits.amax(-1, keepdim=True).sigmoid()
            product = best if product is None else product * best
    return product


def _squares(student: Tensor, teacher: Tensor, weights: Tensor) -> Tensor:
    difference = (weights * (student - teacher) ** 2).sum()
    return difference / ((weights * teacher**2).sum() + LEAST)
