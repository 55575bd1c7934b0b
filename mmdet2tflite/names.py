"""Names that an experiment and the command line may use. Each has its line in a table."""

from typing import Literal

ConverterName = Literal["onnx2tf", "openvino"]
"""``convert.table.CONVERTERS``."""

PaddingName = Literal[
    "auto", "explicit", "mirror", "mirror_rotated", "widen", "tf_train", "engine", "force_same"
]
"""``graph.strategies.table.STRATEGIES``."""
