"""Child process in an environment of its own: OpenVINO's quantisation by nncf, with its defaults.

Arguments: the ONNX file, the samples (``.npy``, N x H x W x C), and the ``.xml`` to write.
"""

import sys

import nncf
import numpy as np
import openvino


def main() -> None:
    """Read, quantise on all samples, and write."""
    source, samples, target = sys.argv[1:]
    images = np.load(samples).transpose(0, 3, 1, 2)
    calibration = nncf.Dataset([image[None] for image in images])
    model = openvino.Core().read_model(source)
    quantised = nncf.quantize(model, calibration, subset_size=len(images))
    openvino.save_model(quantised, target, compress_to_fp16=False)


if __name__ == "__main__":
    main()
