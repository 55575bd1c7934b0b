"""Weights for mmdet from an ONNX file of the same network, its batch norms folded. Child only.

1. mmdet's network is traced with convolution ``i`` filled with the number ``i + 1``, so that each
   convolution of the traced graph tells which layer it is, whatever was folded on the way.
2. Its convolutions and the file's are paired by structure (``conv_pairs``), both graphs in their
   canonical form: batch norms and YOLOX's Focus are folded in both.
3. A Focus that was folded into a 6 x 6 kernel is taken apart again (``graph.passes.focus``):
   ``w[:, block(oy, ox) C + c, ky, kx] = W[:, c, 2 ky + oy, 2 kx + ox]``.
4. A batch norm that was folded becomes one that changes nothing: ``y = x + b``. Its statistics are
   those of the convolution's output on real images (mean m, variance v), with the weight
   ``sqrt(v + eps)`` and the bias ``m + b``: the same in evaluation, and training, which uses the
   statistics of each batch, goes on from there instead of from scaled maps.
5. The network must then give what the file gives.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import torch
from mmcv.cnn import ConvModule
from numpy.typing import NDArray

from mmdet2tflite.detector.conv_pairs import last_convolutions, pair_convolutions
from mmdet2tflite.errors import ModelError, ParityError
from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.edit import constant, shape_of
from mmdet2tflite.graph.model_file import load_model

OPSET = 13
TOLERANCE = 1e-4
"""Largest error of an output, relative to its range."""
FOCUS_BLOCKS = ((0, 0), (1, 0), (0, 1), (1, 1))
"""(oy, ox) of mmdet's Focus: top left, bottom left, top right, bottom right."""

type Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class OnnxWeights:
    """A network read from an ONNX file: canonical, ending at its last convolutions."""

    path: Path
    model: ir.Model

    @classmethod
    def read(cls, path: Path, input_size: tuple[int, int]) -> "OnnxWeights":
        """Read a file; ``input_size`` where it leaves its own open. Raises ModelError."""
        try:
            model = load_model(path)
        except ModelError:
            model = load_model(path, input_size)  # says what else is wrong, if anything is
        canonicalise(model)
        return cls(path, model)

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """1 x C x H x W."""
        batch, channels, height, width = shape_of(self.model.graph.inputs[0])
        return batch, channels, height, width

    def classes(self) -> int:
        """How many classes a YOLOX network has: per stride it ends in maps of C, 4 and 1 channels.

        Raises:
            ModelError: it ends in something else.
        """
        channels = Counter(shape_of(n.outputs[0])[1] for n in last_convolutions(self.model))
        levels, rest = divmod(channels.total(), 3)
        left = channels - Counter({4: levels, 1: levels})
        if rest or not levels or list(left.values()) != [levels]:
            raise ModelError(
                f"{self.path} ends in convolutions of {dict(channels)} (channels: how many)",
                "a YOLOX network: per stride classes, 4 and 1 channels",
                "other networks cannot be taken over from ONNX: give a .pth checkpoint",
            )
        return next(iter(left))


def take_over(model: torch.nn.Module, weights: OnnxWeights, images: Sequence[Floats]) -> None:
    """Give mmdet's network the weights of the file, in place.

    Args:
        model: a YOLOX detector of the file's size and number of classes.
        weights: of the file.
        images: input tensors (1 x C x H x W, of the file's size), for rules 4 and 5.

    Raises:
        ModelError: the two are not the same network.
        ParityError: they do not compute the same.
    """
    model.eval()
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Conv2d)]
    norms = {m.conv: m.norm for m in model.modules() if isinstance(m, ConvModule) and m.with_norm}
    traced = trace_numbered(model, layers, norms, weights.input_shape)
    last = {}
    biases: dict[torch.nn.Module, torch.Tensor] = {}
    for ours, theirs in pair_convolutions(traced, weights.model):
        layer = layers[_number(ours)]
        kernel, bias = _kernel_and_bias(theirs)
        layer.weight.data = torch.from_numpy(unfold_focus(kernel, tuple(layer.weight.shape)))
        if layer.bias is None:
            biases[layer] = torch.from_numpy(bias)
        else:
            layer.bias.data = torch.from_numpy(bias)
        last[theirs] = layer
    neutralise_norms(model, norms, biases, images)
    check_outputs(model, weights, [(n, last[n]) for n in last_convolutions(weights.model)], images)


def trace_numbered(
    model: torch.nn.Module,
    layers: Sequence[torch.nn.Conv2d],
    norms: dict[torch.nn.Module, Any],
    shape: tuple[int, ...],
) -> ir.Model:
    """Rule 1: the canonical graph; the model's weights are numbers afterwards."""
    for index, layer in enumerate(layers):
        layer.weight.data.fill_(index + 1)
    for norm in norms.values():
        norm.weight.data.fill_(1)
        norm.bias.data.zero_()
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "numbered.onnx"
        example = (torch.zeros(shape),)
        torch.onnx.export(_Flat(model).eval(), example, file, opset_version=OPSET, dynamo=False)
        traced = ir.from_proto(onnx.load(file))
    canonicalise(traced)
    return traced


class _Flat(torch.nn.Module):
    """mmdet's raw outputs as one flat tuple, which is what ONNX has."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(level for levels in self.model(tensor) for level in levels)


def _number(node: ir.Node) -> int:
    kernel = constant(node.inputs[1])
    assert kernel is not None
    return round(float(np.abs(kernel).max())) - 1


def _kernel_and_bias(node: ir.Node) -> tuple[Floats, Floats]:
    kernel = constant(node.inputs[1])
    if kernel is None:
        raise ModelError(f"the kernel of {node.name} is computed", "constant weights")
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if bias is None:
        bias = np.zeros(len(kernel))
    return kernel.astype(np.float32), bias.astype(np.float32)


def unfold_focus(kernel: Floats, wanted: tuple[int, ...]) -> Floats:
    """Rule 3; a kernel (out x in x k x k) of the wanted shape is returned as it is."""
    if kernel.shape == wanted:
        return kernel
    blocks = [kernel[:, :, oy::2, ox::2] for oy, ox in FOCUS_BLOCKS]
    return np.ascontiguousarray(np.concatenate(blocks, axis=1))


@torch.no_grad()  # tensors of inference mode could not be trained
def neutralise_norms(
    model: torch.nn.Module,
    norms: dict[torch.nn.Module, Any],
    biases: dict[torch.nn.Module, torch.Tensor],
    images: Sequence[Floats],
) -> None:
    """Rule 4, in place."""
    for layer, bias in biases.items():
        norms[layer].bias.data = bias.clone()  # y = x + b already: one sweep measures all layers
    sums = {layer: torch.zeros(3, len(bias), dtype=torch.float64) for layer, bias in biases.items()}

    def add(layer: torch.nn.Module, _: Any, output: torch.Tensor) -> None:
        values = output.double().transpose(0, 1).flatten(1)
        count = torch.full_like(values[:, 0], values.shape[1])
        sums[layer] += torch.stack([values.sum(1), values.square().sum(1), count])

    with _hooks(biases, add):
        for image in images:
            model(torch.from_numpy(image))
    for layer, bias in biases.items():
        total, squares, count = sums[layer]
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0)
        norm = norms[layer]
        norm.running_mean.data = mean.float()
        norm.running_var.data = variance.float()
        norm.weight.data = (variance + norm.eps).sqrt().float()
        norm.bias.data = (mean + bias).float()


def check_outputs(
    model: torch.nn.Module,
    weights: OnnxWeights,
    last: Sequence[tuple[ir.Node, torch.nn.Module]],
    images: Sequence[Floats],
) -> None:
    """Rule 5. Raises ParityError."""
    graph = weights.model.graph
    graph.outputs[:] = [node.outputs[0] for node, _ in last]
    session = onnxruntime.InferenceSession(
        ir.to_proto(weights.model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found: dict[torch.nn.Module, Floats] = {}

    def keep(layer: torch.nn.Module, _: Any, output: torch.Tensor) -> None:
        found[layer] = output.numpy()

    layers = [layer for _, layer in last]
    for image in images:
        with _hooks(layers, keep), torch.inference_mode():
            model(torch.from_numpy(image))
        for layer, expected in zip(
            layers, session.run(None, {graph.inputs[0].name: image}), strict=True
        ):
            error = float(np.abs(found[layer] - expected).max() / np.ptp(expected))
            if not error <= TOLERANCE:
                raise ParityError(
                    f"with the weights of {weights.path} an output of the network differs from the "
                    f"file's by {error:.1e} of its range",
                    f"at most {TOLERANCE:.0e}",
                    "the file may have been trained with other padding (set detector.padding), "
                    "another activation, or be rewritten by a padding strategy",
                )


@contextmanager
def _hooks(layers: Any, function: Any) -> Iterator[None]:
    handles = [layer.register_forward_hook(function) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
