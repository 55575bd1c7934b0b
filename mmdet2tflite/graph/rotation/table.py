"""The table of rules: every operator that can compute with flipped inputs.

What is not here computes on unflipped inputs.
"""

from collections.abc import Mapping

from mmdet2tflite.graph.rotation import (
    rules_alignment,
    rules_axes,
    rules_resize,
    rules_selection,
    rules_statistics,
    rules_windows,
)
from mmdet2tflite.graph.rotation.rule import Rule

POINTWISE = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "CastLike"),
    *("Ceil", "Celu", "Clip", "Cos", "Cosh", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu"),
    *("HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Neg"),
    *("Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh"),
    *("Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"),
)
"""One element from one element."""

WHOLE_AXES = ("LogSoftmax", "LpNormalization", "Softmax")
POOLED_WHOLE = ("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool")

BROADCASTING = (
    *("Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater"),
    *("GreaterOrEqual", "LayerNormalization", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod"),
    *("Mul", "Or", "PRelu", "Pow", "RMSNormalization", "Sub", "Sum", "Where", "Xor"),
)

PER_CHANNEL = ("BatchNormalization", "GroupNormalization", "InstanceNormalization", "LRN")

REDUCTIONS = (
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean"),
    *("ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"),
)

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(POINTWISE + WHOLE_AXES + POOLED_WHOLE, rules_statistics.pointwise),
    **dict.fromkeys(BROADCASTING, rules_alignment.broadcast),
    **dict.fromkeys(PER_CHANNEL, rules_statistics.per_channel),
    **dict.fromkeys(REDUCTIONS, rules_statistics.reduction),
    **dict.fromkeys(("ArgMax", "ArgMin"), rules_statistics.position_of_extreme),
    "Concat": rules_alignment.concat,
    "MatMul": rules_alignment.matmul,
    "Gemm": rules_alignment.gemm,
    "Conv": rules_windows.convolution,
    **dict.fromkeys(("AveragePool", "MaxPool"), rules_windows.pooling),
    "ConvTranspose": rules_windows.transposed_convolution,
    "Transpose": rules_axes.transpose,
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), rules_axes.reshape),
    **dict.fromkeys(("Expand", "Tile"), rules_axes.expand),
    "Gather": rules_selection.gather,
    "Pad": rules_selection.pad,
    "Slice": rules_selection.slice_,
    "Split": rules_selection.split,
    "Resize": rules_resize.resize,
}
