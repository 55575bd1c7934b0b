"""Child process: the TFLite file against the ONNX it was made of, on real images.

Argument: a JSON file with ``onnx``, ``tflite``, ``model``, ``images``, ``tolerance``, ``result``.
In a child, because a wrong file can bring the interpreter down with it.
"""

import json
import sys
from pathlib import Path

from mmdet2tflite.artifacts import TfliteModel
from mmdet2tflite.evaluate.promise import check_promise, run_on_images
from mmdet2tflite.evaluate.runners import OnnxRunner, TfliteRunner

THREADS = 2


def main() -> None:
    """Write the worst errors as metrics. Raises ParityError."""
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    model = TfliteModel.model_validate(spec["model"])
    images = [Path(image) for image in spec["images"]]
    names = [output.name for output in model.outputs]
    onnx = OnnxRunner(Path(spec["onnx"]), THREADS)
    tflite = TfliteRunner(Path(spec["tflite"]), names, THREADS, xnnpack=True)
    metrics = check_promise(
        run_on_images(onnx, images, model.preprocessing),
        run_on_images(tflite, images, model.preprocessing),
        spec["tolerance"],
        f"{model.variant} against the ONNX",
    )
    Path(spec["result"]).write_text(json.dumps(metrics), encoding="utf-8")


if __name__ == "__main__":
    main()
