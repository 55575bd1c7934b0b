"""Child process: ONNX → OpenVINO's intermediate representation, by ``ovc``'s Python interface.

Spelt out for openvino2tensorflow (see ``ir.py``). Arguments: the ONNX file, the ``.xml`` to write.
"""

import sys
from pathlib import Path

from mmdet2tflite.convert.converters.ir import read_onnx, spell_out, write_ir


def main() -> None:
    """Write the ``.xml`` and, beside it, the ``.bin``. Raises ModelError."""
    model = read_onnx(Path(sys.argv[1]))
    spell_out(model)
    write_ir(model, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
