"""The padding operators of a TFLite file, who reads them, and whether XNNPACK fuses them away.

XNNPACK, LiteRT's CPU delegate, computes a PAD inside the convolution that reads it if

1. the operator is PAD: the delegate takes neither PADV2 nor MIRROR_PAD, whatever they pad with;
2. its pads are a constant of int32, and its type is float32, int8 or uint8;
3. it pads height and width of a map, N x H x W x C, and nothing else;
4. exactly one operator reads the result, which is no output of the graph;
5. that is a CONV_2D or DEPTHWISE_CONV_2D, written VALID;
6. the convolution's weights are of its input's kind: float maps with int8 weights (dynamic-range
   quantisation) are quantised first, and that step would be the reader.

What is padded need not be looked at: PAD pads with real zeros, for a quantised tensor with its zero
point.

Sources: ``xnn_subgraph_fusion`` in XNNPACK's subgraph.c (3, 4, 5), and a measurement of every rule
with LiteRT 2.3.0: a PAD of 16 Mi float32 or int8 values before a 3x3 convolution of stride 16 costs
nothing that can be measured where all hold (0.1 to 0.3 ms, with and without the PAD), and 7 to 180
ms where one does not. Other backends have rules of their own, or fuse nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import constant, operator_name
from mmdet2tflite.tflite.windows import CONVOLUTIONS, Window, window_of

PADDING_OPERATORS = ("PAD", "PADV2", "MIRROR_PAD")
FUSED_TYPES = ("FLOAT32", "INT8", "UINT8")
TYPE_NAMES = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}


@dataclass(frozen=True)
class Reader:
    """An operator that reads a padded map; ``window`` is None if it is no convolution or pooling.

    ``output`` names the tensor that it writes.
    """

    operator: str
    output: str
    window: Window | None


@dataclass(frozen=True)
class Padding:
    """A PAD, PADV2 or MIRROR_PAD.

    Args:
        operator: which of them.
        output: name of the padded tensor.
        pads: (before, after) of each axis; None if they are computed.
        value: the real number that it pads with; None if it mirrors or computes it.
        readers: the operators that read the result.
        obstacle: why XNNPACK cannot fuse it into its reader; empty if it does.
    """

    operator: str
    output: str
    pads: tuple[tuple[int, int], ...] | None
    value: float | None
    readers: tuple[Reader, ...]
    obstacle: str

    @property
    def fused(self) -> bool:
        """XNNPACK computes it inside the convolution that reads it."""
        return not self.obstacle


def find_pads(model: schema.ModelT) -> list[Padding]:
    """Every padding operator of the main graph, in its order."""
    return [
        _padding(model, operator)
        for operator in model.subgraphs[0].operators
        if operator_name(model, operator) in PADDING_OPERATORS
    ]


def scale_and_zero_point(tensor: schema.TensorT) -> tuple[float, int] | None:
    """A quantised tensor's (the first of many, where it has one per channel); None for reals."""
    quantisation = tensor.quantization
    if quantisation is None or quantisation.scale is None or len(quantisation.scale) == 0:
        return None
    return float(quantisation.scale[0]), int(quantisation.zeroPoint[0])


def _padding(model: schema.ModelT, operator: schema.OperatorT) -> Padding:
    graph = model.subgraphs[0]
    table = constant(model, graph.tensors[operator.inputs[1]])
    readers = list(_readers(model, int(operator.outputs[0])))
    return Padding(
        operator=operator_name(model, operator),
        output=graph.tensors[operator.outputs[0]].name.decode(),
        pads=None if table is None else tuple((int(b), int(e)) for b, e in table),
        value=_value(model, operator),
        readers=tuple(
            Reader(
                operator_name(model, reader),
                graph.tensors[reader.outputs[0]].name.decode(),
                window_of(model, reader),
            )
            for reader in readers
        ),
        obstacle=_obstacle(model, operator) or _obstacle_of_readers(model, operator, readers),
    )


def _readers(model: schema.ModelT, index: int) -> Iterator[schema.OperatorT]:
    for operator in model.subgraphs[0].operators:
        if index in operator.inputs:
            yield operator


def _value(model: schema.ModelT, operator: schema.OperatorT) -> float | None:
    match operator_name(model, operator):
        case "PAD":
            return 0.0
        case "PADV2":
            tensor = model.subgraphs[0].tensors[operator.inputs[2]]
            stored = constant(model, tensor)
            if stored is None:
                return None
            scale, zero_point = scale_and_zero_point(tensor) or (1.0, 0)
            return (float(stored.ravel()[0]) - zero_point) * scale
    return None


def _obstacle(model: schema.ModelT, operator: schema.OperatorT) -> str:
    """What of the padding itself is in the way (rules 1 to 3)."""
    name = operator_name(model, operator)
    if name != "PAD":
        return f"XNNPACK does not take {name}"
    tensors = model.subgraphs[0].tensors
    table = constant(model, tensors[operator.inputs[1]])
    if table is None:
        return "its pads are computed"
    if table.dtype != "int32":
        return f"its pads are {table.dtype}, XNNPACK takes int32"
    kind = TYPE_NAMES[tensors[operator.inputs[0]].type]
    if kind not in FUSED_TYPES:
        return f"XNNPACK does not pad {kind}"
    if len(table) != 4 or table[[0, 3]].any():
        return "it pads more than height and width"
    return ""


def _obstacle_of_readers(
    model: schema.ModelT, operator: schema.OperatorT, readers: list[schema.OperatorT]
) -> str:
    """What of the readers is in the way (rules 4 to 6)."""
    graph = model.subgraphs[0]
    if operator.outputs[0] in graph.outputs:
        return "it is an output of the graph"
    if len(readers) != 1:
        return f"{len(readers)} operators read it"
    reader = readers[0]
    name = operator_name(model, reader)
    if name not in CONVOLUTIONS:
        return f"{name} reads it, which is no convolution"
    window = window_of(model, reader)
    if window is None or window.same:
        return "the convolution pads on its own (SAME)"
    maps, weights = (graph.tensors[index].type for index in reader.inputs[:2])
    floating = schema.TensorType.FLOAT32
    if (maps == floating) != (weights == floating):
        return "the convolution quantises its input first (dynamic-range weights)"
    return ""
