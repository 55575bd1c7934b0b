"""An int8 file and its float32 file become a tuned int8 file, which is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from torch import Tensor

from mmdet2tflite.errors import ParityError
from mmdet2tflite.passport import Head
from mmdet2tflite.processes.machine import cores
from mmdet2tflite.quantize.tuning.loop import Learnt, Load, OnIteration, Schedule, train
from mmdet2tflite.quantize.tuning.network import Reals, TfliteNetwork
from mmdet2tflite.quantize.tuning.sharing import own_biases
from mmdet2tflite.quantize.tuning.teacher import Teacher
from mmdet2tflite.quantize.tuning.ties import avoid_ties
from mmdet2tflite.quantize.tuning.writing import write_learnt
from mmdet2tflite.tflite.flatbuffer import constant, parse_model, serialise
from mmdet2tflite.tflite.padding_flag import put_pads_back

HELD_BACK = 8
"""One image of so many judges, within the limits of ``judges_among``."""
LEAST_HELD_BACK, MOST_HELD_BACK = 8, 32
LEVELS = 255
"""Steps of the range of an output that is computed in float32."""


@dataclass(frozen=True)
class Tuned:
    """A network and what its tuning gained on the images held back."""

    network: TfliteNetwork
    learnt: Learnt


def tune(
    model: schema.ModelT,
    float_model: schema.ModelT,
    teacher: schema.ModelT,
    images: int,
    load: Load,
    head: Head | None,
    schedule: Schedule,
    on_iteration: OnIteration = lambda done, loss: None,
) -> Tuned:
    """Tune an int8 model in place.

    Args:
        model: int8, static, with one input.
        float_model: what it was quantised from, with its channels scaled where they were; its
            weights are where the learning starts.
        teacher: float32, with the same input and outputs.
        images: how many ``load`` gives, by the numbers 0 …; at least 2.
        head: says what the outputs mean.

    Raises:
        ModelError: the model has an operator that cannot be trained through.
    """
    torch.manual_seed(schedule.seed)
    torch.set_num_threads(cores())
    own_biases(model)
    network = TfliteNetwork(_padded(model), real_weights(float_model))
    teach = Teacher(serialise(_padded(teacher)), cores())
    judges, numbers = judges_among(images), range(images)
    held_back, others = numbers[:judges], numbers[judges:]
    learnt = train(network, teach, load, others, held_back, head, schedule, on_iteration)
    if learnt.after < learnt.before:
        avoid_ties(network)
    write_learnt(network, model)
    return Tuned(network, learnt)


def judges_among(images: int) -> int:
    """How many of at least two images are held back: not too few to tell, and at most half."""
    wanted = min(MOST_HELD_BACK, max(LEAST_HELD_BACK, images // HELD_BACK))
    return min(wanted, images // 2)


def real_weights(model: schema.ModelT) -> Reals:
    """The float32 constants of a model by their names."""
    found: dict[str, NDArray[np.float32]] = {}
    for tensor in model.subgraphs[0].tensors:
        value = constant(model, tensor)
        if value is not None and value.dtype == np.float32:
            found[tensor.name.decode()] = value.astype(np.float32)
    return found


def check_same(
    network: TfliteNetwork, model: schema.ModelT, samples: Sequence[NDArray[np.float32]]
) -> dict[str, float]:
    """The promise: LiteRT gives the network's integers, at most one step apart.

    Reals have no bits in common: XNNPACK sums in another order than PyTorch. Where a layer in
    float32 ends, a value next to a half may be rounded the other way, and all layers behind it make
    more of that. So the network is compared there, too, and goes on with LiteRT's integers.

    Args:
        network: as it was written into the model.
        samples: 1 x H x W x C.

    Returns:
        ``tuning.steps_apart``, the largest difference in steps of an output's scale, and
        ``tuning.differing``, the share of values that differ at all.

    Raises:
        ParityError: a value is more than a step away.
    """
    padded = _padded(model)
    graph = padded.subgraphs[0]
    names = {index: graph.tensors[index].name.decode() for index in network.rounded()}
    graph.outputs = [*graph.outputs, *(index for index in names if index not in graph.outputs)]
    litert = Teacher(serialise(padded), cores())
    apart = [each for sample in samples for each in _apart(network, litert, names, sample)]
    largest = max(float(each.abs().max()) for each in apart)
    if largest > 1.5:
        raise ParityError(
            f"the tuned file and the network that was tuned are {largest:.0f} steps apart",
            "at most one step of each output's scale",
            "an operator whose integer arithmetic is another in this version of LiteRT; leave "
            "training.quantised out",
        )
    differing = sum(int((each.abs() > 0.5).sum()) for each in apart)
    values = sum(each.numel() for each in apart)
    return {"tuning.steps_apart": round(largest), "tuning.differing": differing / values}


@torch.no_grad()
def _apart(
    network: TfliteNetwork, litert: Teacher, rounded: Mapping[int, str], sample: NDArray[np.float32]
) -> list[Tensor]:
    """Differences in steps, of the outputs and of the tensors ``rounded`` (by number: the name)."""
    expected, apart = litert(sample), []

    def see(index: int, value: Tensor) -> Tensor:
        if index not in rounded:
            return value
        integers = (expected[rounded[index]] / network.scale(index)).round()
        apart.append(value - integers)
        return integers

    for name, value in network(torch.from_numpy(sample), see).items():
        reals = expected[name]
        step = network.output_step(name) or float(reals.max() - reals.min()) / LEVELS
        apart.append((value - reals) / (step or 1.0))
    return apart


def _padded(model: schema.ModelT) -> schema.ModelT:
    """The model as the reference backend computes it: with PADs in place of flags."""
    copied = parse_model(serialise(model), "the model")
    put_pads_back(copied)
    return copied
