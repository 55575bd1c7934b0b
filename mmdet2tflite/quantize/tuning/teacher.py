"""A file as a teacher: what LiteRT computes of a batch, integers read as reals."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmdet2tflite.runtime.litert import dequantise, quantise


class Teacher:
    """Runs a file of one input, sample by sample.

    Args:
        content: of the file, without padding flags.
        threads: for the kernels.
    """

    def __init__(self, content: bytes, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    def __call__(self, images: NDArray[np.float32]) -> dict[str, Tensor]:
        """Outputs by name, the samples along the first axis."""
        found: dict[str, list[NDArray[np.float32]]] = {}
        for image in images:
            given = np.ascontiguousarray(quantise(image[None], self._input))
            self._interpreter.set_tensor(self._input["index"], given)
            self._interpreter.invoke()
            for detail in self._outputs:
                value = dequantise(self._interpreter.get_tensor(detail["index"]), detail)
                found.setdefault(detail["name"], []).append(value)
        return {name: torch.from_numpy(np.concatenate(parts)) for name, parts in found.items()}
