"""``tf_train``: for a network that was trained with TensorFlow's padding; refuses any other.

Such a network pads right and bottom by explicit Pads in PyTorch. The canonical form has merged
them into the convolutions, where they are SAME; nothing is left to decide.
"""

import onnx_ir as ir

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.edit import describe
from mmdet2tflite.graph.padding_mode import choose_and_write, choose_explicit
from mmdet2tflite.graph.rewriting import PaddingMode, Rewriting
from mmdet2tflite.graph.window_operators import find_window_operators


def rewrite(model: ir.Model) -> Rewriting:
    """VALID or SAME at every window operator.

    Raises:
        ModelError: a convolution or pooling pads otherwise: the network was not trained so.
    """
    windows = find_window_operators(model.graph)
    padded = [
        window for window in windows if choose_explicit(window).padding_mode == PaddingMode.PAD
    ]
    if padded:
        height, width = padded[0].axes
        raise ModelError(
            f"{len(padded)} of {len(windows)} convolutions and poolings do not pad as TensorFlow's "
            f"SAME does; the first is {describe(padded[0].node)} with pads {height.begin}, "
            f"{height.end} (rows) and {width.begin}, {width.end} (columns)",
            "a network that was trained with TensorFlow's padding",
            "use `mirror` or `widen`: they are exact for this network as it is",
        )
    return Rewriting(model, choose_and_write(windows, choose_explicit))
