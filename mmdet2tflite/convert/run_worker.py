"""Child process: a finished TFLite file on given inputs.

Arguments: the file, its passport (JSON), an ``inputs.npz`` whose one array ``inputs`` is samples x
C x H x W, and where to write the outputs (maps as NCHW, samples along the first axis, by name).

In a child, because a wrong file can bring the interpreter down with it. The passport is read
without its model classes: importing pydantic takes longer than most networks take to run.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mmdet2tflite.parity.check import run_on_tensors
from mmdet2tflite.runtime.runners import open_tflite

THREADS = 2


def main() -> None:
    """Run, and write the outputs. Raises ModelError."""
    model, passport, inputs, outputs = (Path(argument) for argument in sys.argv[1:])
    runner = open_tflite(_read(passport), model, THREADS, xnnpack=True)
    with np.load(inputs, allow_pickle=False) as arrays:
        np.savez(outputs, allow_pickle=False, **run_on_tensors(runner, arrays["inputs"]))


def _read(passport: Path) -> Any:
    text = passport.read_text(encoding="utf-8")
    return json.loads(text, object_hook=lambda fields: SimpleNamespace(**fields))


if __name__ == "__main__":
    main()
