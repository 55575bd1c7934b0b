"""All tensors of a TFLite file, those inside it, too: read while it runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from mmdet2tflite.processes.machine import cores
from mmdet2tflite.runtime.decode import Floats
from mmdet2tflite.runtime.litert import dequantise, quantise
from mmdet2tflite.tflite.flatbuffer import serialise


class TensorReader:
    """A file run by the builtin kernels, which leave all its tensors to be read.

    Attributes:
        inputs: names, in the file's order.
        details: LiteRT's description of each tensor of the main graph, in the file's order.
    """

    inputs: Sequence[str]
    details: Sequence[Mapping[str, Any]]

    def __init__(self, model: schema.ModelT) -> None:
        self._interpreter = Interpreter(
            model_content=serialise(model),
            num_threads=cores(),
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._interpreter.allocate_tensors()
        self._inputs = self._interpreter.get_input_details()
        self.inputs = [detail["name"] for detail in self._inputs]
        self.details = self._interpreter.get_tensor_details()

    def run(self, *values: NDArray[Any]) -> None:
        """Run on one sample: a value for each of ``inputs``, reals where the file has integers."""
        for detail, value in zip(self._inputs, values, strict=True):
            given = np.ascontiguousarray(quantise(value, detail))
            self._interpreter.set_tensor(detail["index"], given)
        self._interpreter.invoke()

    def read(self, detail: Mapping[str, Any]) -> Floats:
        """What one of ``details`` held in the last run; integers as the reals they stand for."""
        return dequantise(self._interpreter.get_tensor(detail["index"]), detail)
