"""Which operators of a TFLite file XNNPACK computes as one: only together can they be timed.

1. A PAD goes with the convolution that reads it, where ``pads`` says that XNNPACK fuses the two.
2. Elementwise operators go together if, constants aside, they read one tensor and what they have
   made of it: SiLU's LOGISTIC and MUL; DEQUANTIZE, HARD_SWISH and QUANTIZE. Of 8-bit integers
   XNNPACK makes one table of 256 entries of them, whatever types are in between. Of reals it does
   not; they are put together all the same, to compare an integer file with its float32 file.
3. Any other operator is by itself.

Source of 2: ``xnn_subgraph_fuse_unary_quantized_into_lut`` in XNNPACK's subgraph.c. It ends a table
at an inner tensor that has several readers, and after ten operators. That is not looked at here: a
group of which XNNPACK makes two tables is timed as two tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import operator_name
from mmdet2tflite.tflite.layout_rules import POINTWISE
from mmdet2tflite.tflite.pads import find_pads

CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
ELEMENTWISE = (*POINTWISE, *CONVERSIONS)


@dataclass
class Group:
    """Operators of the main graph that are computed together, in the file's order.

    Args:
        source: of elementwise operators the one tensor that they read, by its number; else None.
    """

    operators: list[schema.OperatorT] = field(default_factory=list)
    source: int | None = None

    @property
    def written(self) -> set[int]:
        """Numbers of the tensors that they write."""
        return {int(index) for operator in self.operators for index in operator.outputs}


def find_groups(model: schema.ModelT, operators: Sequence[schema.OperatorT]) -> list[Group]:
    """The operators put together, each group where its first one stands.

    Args:
        operators: of the main graph, in its order. What others write counts as constant.
    """
    graph = model.subgraphs[0]
    computed = {int(index) for operator in operators for index in operator.outputs}
    computed |= {int(index) for index in graph.inputs}
    fused = {pad.output.encode() for pad in find_pads(model) if pad.fused}
    groups: list[Group] = []
    writer: dict[int, Group] = {}
    for operator in operators:
        read = {int(index) for index in operator.inputs} & computed
        name = operator_name(model, operator)
        group = _joined(read, name, writer)
        if group is None:
            group = Group(source=min(read) if name in ELEMENTWISE and len(read) == 1 else None)
            groups.append(group)
        group.operators.append(operator)
        if group.source is not None or graph.tensors[operator.outputs[0]].name in fused:
            writer |= dict.fromkeys(map(int, operator.outputs), group)
    return groups


def _joined(read: set[int], name: str, writer: dict[int, Group]) -> Group | None:
    """The group that an operator belongs to already.

    Args:
        writer: elementwise groups and fused PADs (which nothing but their convolution reads), by
            the tensors that they write.
    """
    for index in sorted(read & set(writer)):
        group = writer[index]
        if group.source is None:
            return group
        if name in ELEMENTWISE and read <= group.written | {group.source}:
            return group
    return None
