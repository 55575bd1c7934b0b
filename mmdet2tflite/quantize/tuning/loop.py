"""The loop: an int8 network learns to give what its float32 file gives, without labels.

1. Each iteration takes the next images of a seeded order, changed as ``views`` does it, and one
   step of Adam down the gradient of ``distillation_loss``.
2. The learning rates fall to 0 by a half cosine. That of weights and biases is in steps of their
   integers, that of scales a fraction of the scale (``network``): neither depends on the network.
3. Some images are held back. The network that is returned is the better one on these, before or
   after: a tuning never gives back worse than it was given, as far as these images tell.
4. The same seed, images, machine and number of threads give the same file.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmdet2tflite.passport import Head
from mmdet2tflite.quantize.tuning.loss import DistillationLoss
from mmdet2tflite.quantize.tuning.network import TfliteNetwork
from mmdet2tflite.quantize.tuning.views import random_view

type Load = Callable[[int], NDArray[np.float32]]
"""The image of a number, H x W x C, as the network wants it."""
type Teach = Callable[[NDArray[np.float32]], dict[str, Tensor]]
"""The teacher's outputs of a batch, N x H x W x C."""
type OnIteration = Callable[[int, float], None]
"""Called after an iteration: how many there have been, the loss."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Args:
        iterations: steps of the optimizer.
        batch_size: images of an iteration.
        weight_rate: first learning rate of weights and biases, in steps.
        scale_rate: first learning rate of scales, as a fraction.
        seed: of order and flips.
    """

    iterations: int
    batch_size: int
    weight_rate: float
    scale_rate: float
    seed: int


@dataclass(frozen=True)
class Learnt:
    """What became of the loss on the images held back; equal if the network stayed as it was."""

    before: float
    after: float


def train(
    network: TfliteNetwork,
    teach: Teach,
    load: Load,
    images: Sequence[int],
    held_back: Sequence[int],
    head: Head | None,
    schedule: Schedule,
    on_iteration: OnIteration = lambda done, loss: None,
) -> Learnt:
    """Tune a network in place.

    Args:
        images: numbers of those to learn from, at least one.
        held_back: numbers of those to judge by, at least one.
    """
    judge = Judge([load(number) for number in held_back], teach, head)
    before = judge(network)
    start = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.Adam(_groups(network, schedule), betas=(0.9, 0.99))
    decay = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: 0.5 * (1 + math.cos(math.pi * done / schedule.iterations))
    )
    batches, loss_of = _batches(images, load, schedule), DistillationLoss(head)
    for done, batch in zip(range(1, schedule.iterations + 1), batches, strict=False):
        wanted = teach(batch)
        loss_of.see(wanted)
        loss = loss_of(network(torch.from_numpy(batch)), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
        on_iteration(done, loss.item())
    after = judge(network)
    if not after < before:  # NaN is no better
        network.load_state_dict(start)
        after = before
    return Learnt(before, after)


def _groups(network: TfliteNetwork, schedule: Schedule) -> list[dict[str, object]]:
    steps = [*network.weights.values(), *network.biases.values()]
    scales = list(network.exponents.values())
    return [
        {"params": steps, "lr": schedule.weight_rate},
        {"params": scales, "lr": schedule.scale_rate},
    ]


def _batches(
    images: Sequence[int], load: Load, schedule: Schedule
) -> Iterator[NDArray[np.float32]]:
    """Rule 1, without end."""
    generator = np.random.default_rng(schedule.seed)
    queue: list[int] = []
    while True:
        while len(queue) < schedule.batch_size:
            queue += generator.permutation(list(images)).tolist()
        chosen, queue = queue[: schedule.batch_size], queue[schedule.batch_size :]
        yield np.stack([random_view(load(number), generator) for number in chosen])


class Judge:
    """The loss of a network on images of which it learns nothing, as one batch.

    Args:
        images: at least one, H x W x C.
    """

    def __init__(
        self, images: Sequence[NDArray[np.float32]], teach: Teach, head: Head | None
    ) -> None:
        self._images = np.stack(images)
        self._wanted = teach(self._images)
        self._loss = DistillationLoss(head)
        self._loss.see(self._wanted)

    @torch.no_grad()
    def __call__(self, network: TfliteNetwork) -> float:
        """The network is run on one image after the other."""
        found = [network(torch.from_numpy(image[None])) for image in self._images]
        together = {name: torch.cat([outputs[name] for outputs in found]) for name in found[0]}
        return self._loss(together, self._wanted).item()
