"""Writes what was learnt into the int8 file: weights, biases and scales, and nothing else.

1. Every learnt scale goes to all tensors that share it; zero points stay.
2. Weights are what the network computes with, as int8.
3. A bias is an int32 in multiples of ``input scale * weight scale``, and says so.
4. A constant whose bytes another tensor uses as well gets a buffer of its own.
"""

from collections import Counter

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mmdet2tflite.quantize.tuning.network import TfliteNetwork, tensors_of
from mmdet2tflite.quantize.tuning.table import WEIGHTED


@torch.no_grad()
def write_learnt(network: TfliteNetwork, model: schema.ModelT) -> None:
    """Bring a model up to date in place, such that it computes what the network computes.

    Args:
        network: made of this model, or of one whose first tensors are this model's.
        model: int8.
    """
    graph = model.subgraphs[0]
    for index, leader in network.sharing.leader.items():
        if leader in network.sharing.learnt and index < len(graph.tensors):
            scales = np.atleast_1d(network.scale(index).numpy()).astype(np.float32)
            quantisation = graph.tensors[index].quantization
            quantisation.scale = scales
            quantisation.min = quantisation.max = None  # what was calibrated is true no longer
    uses = Counter(tensor.buffer for tensor in graph.tensors)
    for step in network.steps:
        if step.name not in WEIGHTED or step.grid is None:
            continue
        image, weights, bias = tensors_of(step)
        _replace(model, weights, network.weight(weights).numpy().astype(np.int8), uses)
        if bias >= 0:
            unit = network.scale(image) * network.scale(weights)
            counts = (network.bias(bias) / unit).round().numpy()
            _replace(model, bias, counts.astype(np.int32), uses)
            graph.tensors[bias].quantization.scale = np.atleast_1d(unit.numpy())


def _replace(
    model: schema.ModelT, index: int, value: NDArray[np.generic], uses: Counter[int]
) -> None:
    tensor = model.subgraphs[0].tensors[index]
    if uses[tensor.buffer] > 1:  # rule 4
        uses[tensor.buffer] -= 1
        tensor.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT())
        uses[tensor.buffer] = 1
    model.buffers[tensor.buffer].data = np.frombuffer(value.tobytes(), np.uint8)
