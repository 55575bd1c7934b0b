"""Geometry of the convolutions and poolings of a TFLite file: kernel, stride, dilation, padding."""

from dataclasses import dataclass

from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.tflite.flatbuffer import operator_name

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
POOLINGS = ("MAX_POOL_2D", "AVERAGE_POOL_2D")


@dataclass(frozen=True, slots=True)
class Window:
    """What slides over a map; every pair is (height, width).

    Args:
        kernel: taps.
        stride: rows from one window to the next.
        dilation: rows from one tap to the next.
        same: TensorFlow's SAME; otherwise VALID.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    same: bool

    @property
    def padding(self) -> str:
        """``SAME`` or ``VALID``."""
        return "SAME" if self.same else "VALID"


def window_of(model: schema.ModelT, operator: schema.OperatorT) -> Window | None:
    """The geometry of an operator of subgraph 0; None if it is no convolution or pooling."""
    name, options = operator_name(model, operator), operator.builtinOptions
    if name in CONVOLUTIONS:
        shape = model.subgraphs[0].tensors[operator.inputs[1]].shape  # OHWI, or 1 x H x W x C
        kernel = int(shape[1]), int(shape[2])
        dilation = options.dilationHFactor, options.dilationWFactor
    elif name in POOLINGS:
        kernel = options.filterHeight, options.filterWidth
        dilation = 1, 1
    else:
        return None
    stride = options.strideH, options.strideW
    return Window(kernel, stride, dilation, options.padding == schema.Padding.SAME)
