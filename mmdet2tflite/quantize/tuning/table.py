"""The table of operators that can be trained through; what moves values is marked as such."""

import torch

from mmdet2tflite.quantize.tuning import arithmetic, convolutions, moves
from mmdet2tflite.quantize.tuning.fusing import SILU
from mmdet2tflite.quantize.tuning.steps import Operator

MOVES: dict[str, Operator] = {
    "CONCATENATION": moves.concatenation,
    "DEPTH_TO_SPACE": moves.depth_to_space,
    "EXPAND_DIMS": moves.reshape,
    "PAD": moves.pad,
    "PADV2": moves.pad,
    "RESHAPE": moves.reshape,
    "RESIZE_NEAREST_NEIGHBOR": moves.resize_nearest,
    "REVERSE_V2": moves.reverse,
    "SLICE": moves.slice_,
    "SPACE_TO_DEPTH": moves.space_to_depth,
    "SPLIT": moves.split,
    "SPLIT_V": moves.split_v,
    "SQUEEZE": moves.reshape,
    "STRIDED_SLICE": moves.strided_slice,
    "TRANSPOSE": moves.transpose,
}
"""They write what they read: one scale for all quantised inputs and outputs."""

ARITHMETIC: dict[str, Operator] = {
    "ADD": arithmetic.add,
    "AVERAGE_POOL_2D": arithmetic.average_pool_2d,
    "CONV_2D": convolutions.conv_2d,
    "DEPTHWISE_CONV_2D": convolutions.depthwise_conv_2d,
    "DEQUANTIZE": arithmetic.dequantize,
    "FULLY_CONNECTED": convolutions.fully_connected,
    "HARD_SWISH": arithmetic.hard_swish,
    "LOGISTIC": arithmetic.from_table(torch.sigmoid),
    "MAX_POOL_2D": arithmetic.max_pool_2d,
    "MEAN": arithmetic.mean,
    "MUL": arithmetic.multiply,
    "QUANTIZE": arithmetic.quantize,
    "RELU": arithmetic.limited(0.0, None),
    "RELU6": arithmetic.limited(0.0, 6.0),
    "RELU_N1_TO_1": arithmetic.limited(-1.0, 1.0),
    "SUB": arithmetic.subtract,
    "TANH": arithmetic.from_table(torch.tanh),
    "TRANSPOSE_CONV": convolutions.transpose_conv,
}

OPERATORS = MOVES | ARITHMETIC

FUSED: dict[str, Operator] = {SILU: arithmetic.silu}
"""What ``fusing`` makes of several integer operators, to compute the same in less time."""

KEEPS_SCALE = {*MOVES, "MAX_POOL_2D", "AVERAGE_POOL_2D"}
"""Operators whose quantised inputs and outputs have one scale (TFLite's quantisation
specification)."""
FIXED_SCALE = {"LOGISTIC", "TANH"}
"""Operators whose output's scale the specification states: 1/256, 1/128."""
WEIGHTED = {
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "FULLY_CONNECTED": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
}
"""Operators that read trained weights: where among the inputs are map, weights and bias."""
