"""Int8 graphs of one operator, and what LiteRT and the PyTorch network make of them."""

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from mmdet2tflite.quantize.tuning.network import TfliteNetwork
from mmdet2tflite.tflite.flatbuffer import serialise
from tests.tflite.tflite_writer import Writer

LEVELS = np.arange(-128, 128).astype(np.int8)


class IntegerGraph(Writer):
    """Collects tensors of int8, and compares LiteRT's integers with the network's."""

    def int8(self, name, shape, scale, zero_point=0):
        return self.tensor(name, shape, np.int8, scale, zero_point)

    def weights(self, name, value, scales, axis=0):
        return self.constant(
            name, np.asarray(value, np.int8), scale=scales, zero_point=0, channels=axis
        )

    def bias(self, name, value, scales):
        return self.constant(name, np.asarray(value, np.int32), scale=scales, zero_point=0)


def litert(model: schema.ModelT, images: np.ndarray) -> dict[str, np.ndarray]:
    """Stored values by output, of a batch given one by one, by XNNPACK."""
    interpreter = Interpreter(model_content=serialise(model))
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    found = {}
    for image in images:
        interpreter.set_tensor(given["index"], image[None])
        interpreter.invoke()
        for detail in interpreter.get_output_details():
            value = interpreter.get_tensor(detail["index"])
            found.setdefault(detail["name"], []).append(value)
    return {name: np.concatenate(values) for name, values in found.items()}


@torch.no_grad()
def network(model: schema.ModelT, images: np.ndarray) -> dict[str, np.ndarray]:
    """As ``litert``, of the PyTorch network."""
    graph = model.subgraphs[0]
    tensors = {graph.tensors[i].name.decode(): graph.tensors[i] for i in graph.outputs}
    found = TfliteNetwork(model)(torch.from_numpy(reals(graph.tensors[graph.inputs[0]], images)))
    return {name: stored(tensors[name], value.numpy()) for name, value in found.items()}


def reals(tensor: schema.TensorT, value: np.ndarray) -> np.ndarray:
    if value.dtype != np.int8:
        return value
    (scale,), (zero_point,) = tensor.quantization.scale, tensor.quantization.zeroPoint
    return (value.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def stored(tensor: schema.TensorT, value: np.ndarray) -> np.ndarray:
    if tensor.quantization is None:
        return value
    (scale,), (zero_point,) = tensor.quantization.scale, tensor.quantization.zeroPoint
    return (np.rint(value / scale) + zero_point).astype(np.int32)


def differences(model: schema.ModelT, images: np.ndarray) -> tuple[int, float]:
    """The largest difference in steps, and the share of values that differ."""
    expected, found = litert(model, images), network(model, images)
    assert list(found) == list(expected)
    apart = [np.abs(found[name] - expected[name].astype(np.int32)) for name in expected]
    return max(int(a.max()) for a in apart), float(np.mean([(a > 0).mean() for a in apart]))
