"""Child process: ONNX → OpenVINO's intermediate representation, by ``ovc``'s Python interface.

Normalised for openvino2tensorflow (see ``ir.py``). Arguments: the ONNX file, the ``.xml`` to write.
"""

import sys
from pathlib import Path

from mmdet2tflite.convert.converters.ir import normalise_ir, read_onnx, write_ir


def main() -> None:
    """Write the ``.xml`` and, beside it, the ``.bin``. Raises ModelError."""
    model = read_onnx(Path(sys.argv[1]))
    normalise_ir(model)
    write_ir(model, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
