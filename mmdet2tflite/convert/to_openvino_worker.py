"""Child process: ONNX → OpenVINO's intermediate representation, checked on real images.

Argument: a JSON file with ``onnx``, ``model``, ``images``, ``tolerance``, ``work``, ``result``.
"""

import json
import sys
from pathlib import Path

from mmdet2tflite.artifacts import OpenvinoModel
from mmdet2tflite.backends.openvino_runner import OpenvinoRunner
from mmdet2tflite.convert.converters.ir import read_onnx, write_ir
from mmdet2tflite.graph.verify import open_reference
from mmdet2tflite.parity.check import check_parity, run_on_images

THREADS = 2


def main() -> None:
    """Write the files, and the worst errors as result. Raises ModelError, ParityError."""
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    model = OpenvinoModel.model_validate(spec["model"])
    onnx, xml = Path(spec["onnx"]), Path(spec["work"]) / model.file
    write_ir(read_onnx(onnx), xml)
    images = [Path(image) for image in spec["images"]]
    names = [output.name for output in model.outputs]
    metrics = check_parity(
        run_on_images(open_reference(onnx, THREADS), images, model.preprocessing),
        run_on_images(OpenvinoRunner(xml, names, THREADS), images, model.preprocessing),
        spec["tolerance"],
        "OpenVINO against ONNX Runtime",
    )
    Path(spec["result"]).write_text(json.dumps(metrics), encoding="utf-8")


if __name__ == "__main__":
    main()
