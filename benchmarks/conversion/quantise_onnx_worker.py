"""Child process: ONNX Runtime's static quantisation, with the defaults of its manual.

Arguments: the ONNX file, the samples (``.npy``, N x H x W x C), and the file to write.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class Samples(CalibrationDataReader):
    """One sample (1 x C x H x W) after the other."""

    def __init__(self, name: str, samples: NDArray[np.float32]) -> None:
        self._samples = ({name: sample[None]} for sample in samples.transpose(0, 3, 1, 2))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next sample by the input's name; None after the last one."""
        return next(self._samples, None)


def main() -> None:
    """Prepare and quantise."""
    source, samples, target = (Path(argument) for argument in sys.argv[1:])
    prepared = target.with_name("prepared.onnx")
    quant_pre_process(source, prepared)
    name = onnx.load(prepared).graph.input[0].name
    quantize_static(prepared, target, Samples(name, np.load(samples)))


if __name__ == "__main__":
    main()
