"""Child process: a finished TFLite file on given inputs.

Arguments: the file, an ``inputs.npz`` whose one array ``inputs`` is samples x C x H x W, and where
to write the outputs (maps as NCHW, samples along the first axis, by name).

In a child, because a wrong file can bring the interpreter down with it.
"""

import sys
from pathlib import Path

import numpy as np

from mmdet2tflite.convert.tflite_file import read_passport
from mmdet2tflite.evaluate.promise import run_on_tensors
from mmdet2tflite.evaluate.runners import open_tflite

THREADS = 2


def main() -> None:
    """Run, and write the outputs. Raises ModelError."""
    model, inputs, outputs = (Path(argument) for argument in sys.argv[1:])
    runner = open_tflite(read_passport(model), model, THREADS, xnnpack=True)
    with np.load(inputs, allow_pickle=False) as arrays:
        np.savez(outputs, allow_pickle=False, **run_on_tensors(runner, arrays["inputs"]))


if __name__ == "__main__":
    main()
