"""Where a float32 network's channels may be scaled without a change of what it computes.

A place is a convolution whose result is read by convolutions alone:

1. The convolution's kernels and biases take up a factor for each of its channels, and its readers'
   kernels the inverse. That is cross-layer equalisation (Nagel et al., Data-Free Quantization,
   arXiv 1906.04721), exact where what stands between them is nothing or ReLU, since
   relu(s x) = s relu(x) for s > 0.
2. Between them may be SiLU, x sigmoid(x), LOGISTIC and MUL in TFLite, which has no such rule. There
   the LOGISTIC reads a 1x1 depthwise convolution that divides by the factors again (the *gate*):
   s y = (s x) sigmoid((s x) / s).
3. A PAD on the way to a reader writes zeros, which no factor changes.

Whatever else reads the result, or makes it an output, leaves the place out: ADD and CONCATENATION
would want like factors in all that they join.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import constant, operator_name
from mmdet2tflite.tflite.moves import shape_of
from mmdet2tflite.tflite.windows import CONVOLUTIONS

POSITIVELY_HOMOGENEOUS = (
    schema.ActivationFunctionType.NONE,
    schema.ActivationFunctionType.RELU,
)
"""Activations with f(s x) = s f(x) for s > 0."""


@dataclass(frozen=True)
class Silu:
    """x sigmoid(x) of a convolution's result x."""

    logistic: schema.OperatorT
    product: schema.OperatorT


@dataclass(frozen=True)
class Place:
    """A convolution whose channels can be scaled.

    Args:
        convolution: what scales them.
        silu: between it and its readers.
        readers: the convolutions that take the factors back.
    """

    convolution: schema.OperatorT
    silu: Silu | None
    readers: tuple[schema.OperatorT, ...]

    @property
    def written(self) -> int:
        """The tensor that the convolution writes."""
        return int(self.convolution.outputs[0])

    @property
    def read(self) -> int:
        """The tensor that the readers read, or their PADs."""
        return int(self.silu.product.outputs[0]) if self.silu else self.written


def find_places(model: schema.ModelT) -> list[Place]:
    """Those of the main graph, in its order."""
    readers: dict[int, list[schema.OperatorT]] = {}
    for operator in model.subgraphs[0].operators:
        for index in operator.inputs:
            readers.setdefault(int(index), []).append(operator)
    found = (_place(model, operator, readers) for operator in model.subgraphs[0].operators)
    return [place for place in found if place]


def _place(
    model: schema.ModelT,
    convolution: schema.OperatorT,
    readers: dict[int, list[schema.OperatorT]],
) -> Place | None:
    if not is_convolution(model, convolution):
        return None
    outputs = {int(index) for index in model.subgraphs[0].outputs}
    activation = convolution.builtinOptions.fusedActivationFunction
    silu = _silu(model, int(convolution.outputs[0]), readers)
    place = Place(convolution, silu, ())
    if outputs & {place.written, place.read}:
        return None
    if activation not in POSITIVELY_HOMOGENEOUS[: 1 if silu else 2]:
        return None
    following = list(_through_pads(model, place.read, readers))
    channels = shape_of(model.subgraphs[0], place.read)[-1]
    if not following or not all(_takes_back(model, reader, channels) for reader in following):
        return None
    return Place(convolution, silu, tuple(following))


def is_convolution(model: schema.ModelT, operator: schema.OperatorT) -> bool:
    """Whether its kernels, and its bias if it has one, are stored reals."""
    if operator_name(model, operator) not in CONVOLUTIONS:
        return False
    tensors = model.subgraphs[0].tensors
    stored = [tensors[int(index)] for index in operator.inputs[1:] if index != -1]
    return all(
        tensor.type == schema.TensorType.FLOAT32 and constant(model, tensor) is not None
        for tensor in stored
    )


def _silu(
    model: schema.ModelT, source: int, readers: dict[int, list[schema.OperatorT]]
) -> Silu | None:
    """What makes x sigmoid(x) of x, if nothing else reads x or its sigmoid."""
    both = {operator_name(model, operator): operator for operator in readers.get(source, ())}
    if len(readers.get(source, ())) != 2 or set(both) != {"LOGISTIC", "MUL"}:
        return None
    logistic, product = both["LOGISTIC"], both["MUL"]
    gate = int(logistic.outputs[0])
    if readers.get(gate) != [product] or gate in model.subgraphs[0].outputs:
        return None
    plain = product.builtinOptions.fusedActivationFunction == POSITIVELY_HOMOGENEOUS[0]
    return Silu(logistic, product) if plain else None


def _through_pads(
    model: schema.ModelT, source: int, readers: dict[int, list[schema.OperatorT]]
) -> Iterator[schema.OperatorT]:
    """Rule 3: the operators that read a tensor, and those that read what PADs make of it."""
    for reader in readers.get(source, ()):
        padded = int(reader.outputs[0])
        if operator_name(model, reader) == "PAD" and padded not in model.subgraphs[0].outputs:
            yield from _through_pads(model, padded, readers)
        else:
            yield reader


def _takes_back(model: schema.ModelT, reader: schema.OperatorT, channels: int) -> bool:
    """A convolution, each of whose kernels reads all channels or a single one."""
    if not is_convolution(model, reader):
        return False
    kernel = shape_of(model.subgraphs[0], int(reader.inputs[1]))
    if operator_name(model, reader) == "DEPTHWISE_CONV_2D":
        return kernel[-1] % channels == 0
    return kernel[-1] == channels
