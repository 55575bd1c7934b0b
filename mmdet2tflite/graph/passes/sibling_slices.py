"""Slices that share out the channels of a map become one Split."""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.edit import describe, is_op, new_constant, readers, redirect, shape_of
from mmdet2tflite.graph.passes.backward_slices import positions_of
from mmdet2tflite.graph.passes.reporting import ReportingPass

CHANNELS, RANK = 1, 4


class JoinSiblingSlices(ReportingPass):
    """``Slice``s that share out the channels of a map → one ``Split``.

    PyTorch's TorchScript exporter writes ``chunk`` so (ShuffleNetV2). onnx2tf 2.6.9 confuses the
    layouts of the parts where a channel shuffle follows.

    1. The parts follow one another, from the first channel to the last, each with step 1.
    2. Where parts overlap, or a channel is in none, the Slices stay; so do those along other axes.
    """

    def rewrite(self, model: ir.Model) -> None:
        """See the class."""
        for value in [*model.graph.inputs, *(o for node in model.graph for o in node.outputs)]:
            parts = sorted(_parts(value), key=lambda found: found[1].start)
            ends = [0, *(channels.stop for _, channels in parts)]
            starts = [*(channels.start for _, channels in parts), ends[-1]]
            if len(parts) > 1 and starts == ends and ends[-1] == shape_of(value)[CHANNELS]:
                self._join(model.graph, value, parts)

    def _join(self, graph: ir.Graph, value: ir.Value, parts: list[tuple[ir.Node, range]]) -> None:
        slices = [node for node, _ in parts]
        first = next(node for node in graph if node in slices)
        sizes = np.array([len(channels) for _, channels in parts], np.int64)
        split = ir.node(
            "Split",
            [value, new_constant(graph, f"{first.name}_sizes", sizes)],
            {"axis": CHANNELS},
            num_outputs=len(parts),
            name=f"{first.name}_split",
        )
        graph.insert_before(first, split)
        self.changed(f"joined {', '.join(map(describe, slices))} to one Split")
        for node, new in zip(slices, split.outputs, strict=True):
            old = node.outputs[0]
            new.name, new.type, new.shape = f"{old.name}_part", old.type, old.shape
            redirect(old, new)
            graph.remove(node, safe=True)


def _parts(value: ir.Value) -> Iterator[tuple[ir.Node, range]]:
    """The Slices that read nothing but some channels of a map, which follow one another."""
    if len(shape_of(value)) != RANK:
        return
    for node in readers(value):
        if not is_op(node, "Slice") or node.inputs[0] is not value:
            continue
        read = positions_of(node)
        if read is not None and list(read) == [CHANNELS] and read[CHANNELS].step == 1:
            yield node, read[CHANNELS]
