"""``mirror``: exact, without PAD and without a multiplication more, by rotating the network.

1. The whole graph computes on maps rotated by 180°: every kernel flipped, every pair of pads
   swapped (``graph.rotation``). PyTorch has (1, 0) at stride 2, which flipped is (0, 1), SAME.
2. What is still not SAME, such as a 1x1 convolution with stride 2 on an even size, is widened.
3. The graph's input and maps are rotated then. ``mirror`` finishes the file with two kinds of
   REVERSE_V2, behind its input and before its outputs: the same picture goes in, the same maps come
   out. ``mirror_rotated`` has none of them: the program that runs the file rotates.
4. ``mirror_rotated`` refuses a graph that has to rotate maps back inside, before an operator that
   indexes space: it would need a REVERSE_V2 after all.
"""

import onnx_ir as ir

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.padding_mode import choose_and_write, choose_widened
from mmdet2tflite.graph.rewriting import Rewriting
from mmdet2tflite.graph.rotation.rotate import rotate_graph
from mmdet2tflite.graph.window_operators import find_window_operators
from mmdet2tflite.passport import Rotation


def rewrite(model: ir.Model) -> Rewriting:
    """Rules 1 and 2."""
    found = rotate_graph(model, find_window_operators(model.graph))
    return Rewriting(
        model,
        choose_and_write(list(found.windows.values()), choose_widened),
        rotation=Rotation(input=found.rotated_input, outputs=found.rotated_outputs),
        inner_flips=found.inner_flips,
    )


def rewrite_rotated(model: ir.Model) -> Rewriting:
    """Rules 1, 2 and 4. Raises ModelError."""
    rewriting = rewrite(model)
    if rewriting.inner_flips:
        raise ModelError(
            f"the graph must rotate maps back inside: {rewriting.inner_flips[0]}",
            "a graph that can stay rotated from its input to its outputs",
            "use `mirror`, which may reverse inside, or cut the network before that operator",
        )
    return rewriting
