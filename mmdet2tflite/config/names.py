"""Names that an experiment and the command line may use. Each has its line in a table."""

from typing import Literal

ConverterName = Literal["onnx2tf", "onnx2tf_tensorflow", "openvino"]
"""``convert.converters.table.CONVERTERS``."""

ConverterChoice = Literal["auto", ConverterName]
"""For a stand-alone conversion: all of them, in that order, until one gives the right file."""

DataFormat = Literal["coco", "dota", "voc", "yolo"]
"""``data.prepare.FORMATS``: data sets that are read from files."""

Fix = Literal[
    "missing_file",
    "undecodable",
    "size",
    "zero_area",
    "self_crossing",
    "outside",
    "non_finite",
    "unknown_category",
    "unknown_image",
    "duplicate_id",
]
"""``data.problems.MENDS``: problems of a data set that are mended on request."""

FormatName = Literal["h5", "saved_model"]
"""``convert.to_keras.FILES``; TFLite files are always made."""

OutputLayout = Literal["auto", "onnx", "nhwc"]
"""Of outputs that are maps: as the converter left them, channels first as in the ONNX, or last."""

PaddingName = Literal[
    "auto", "explicit", "mirror", "mirror_rotated", "widen", "tf_train", "engine", "force_same"
]
"""``graph.strategies.table.STRATEGIES``."""

PrecisionName = Literal[
    "float32", "float16", "int8_weight", "int8_dynamic", "int8", "int8_io", "int16x8"
]
"""``convert.precisions.PRECISIONS``, and float32, which the converter makes."""
