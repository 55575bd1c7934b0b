"""Child process: a finished TFLite file on given inputs.

Arguments: the file, ``flagged`` or nothing for the kernels that honour padding flags, an
``inputs.npz`` with an array for each input of the file (samples x the input's shape, by name),
where to write the outputs (samples x the output's shape, by name), and where to write the largest
magnitude of every tensor (``magnitude_table``); of a file that cannot be looked into, none.

In a child, because a wrong file can bring the interpreter down with it.
"""

import json
import sys
from pathlib import Path

import numpy as np

from mmdet2tflite.backends.magnitudes import magnitudes_on
from mmdet2tflite.runtime.litert import run_tflite

THREADS = 2


def main() -> None:
    """Run, and write the outputs. Raises ModelError."""
    file, flagged, inputs, outputs, magnitudes = sys.argv[1:]
    with np.load(inputs, allow_pickle=False) as arrays:
        given = dict(arrays)
    found = run_tflite(Path(file), given, THREADS, honour_flags=bool(flagged))
    np.savez(outputs, allow_pickle=False, **found)
    table = magnitudes_on(Path(file), given)
    Path(magnitudes).write_text(json.dumps(table), encoding="utf-8")


if __name__ == "__main__":
    main()
