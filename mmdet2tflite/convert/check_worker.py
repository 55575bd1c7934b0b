"""Child process: the TFLite file against what it promises to compute, on real images.

Argument: a JSON file with ``onnx``, ``rewritten``, ``exact``, ``rotation``, ``tflite``, ``model``,
``images``, ``tolerance``, ``result``. The file of an exact strategy is compared with the original
ONNX, that of an inexact one with the rewritten graph: the conversion itself must be right.

In a child, because a wrong file can bring the interpreter down with it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import onnx_ir

from mmdet2tflite.artifacts import TfliteModel
from mmdet2tflite.evaluate.promise import Infers, check_promise, run_on_images
from mmdet2tflite.evaluate.runners import OnnxRunner, open_tflite
from mmdet2tflite.graph.verify import RewrittenRunner
from mmdet2tflite.passport import Rotation

THREADS = 2


def main() -> None:
    """Write the worst errors as metrics. Raises ParityError."""
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    model = TfliteModel.model_validate(spec["model"])
    images = [Path(image) for image in spec["images"]]
    tflite = open_tflite(model, Path(spec["tflite"]), THREADS, xnnpack=True)
    metrics = check_promise(
        run_on_images(_reference(spec), images, model.preprocessing),
        run_on_images(tflite, images, model.preprocessing),
        spec["tolerance"],
        f"{model.variant} against the {'original' if spec['exact'] else 'rewritten'} ONNX",
    )
    Path(spec["result"]).write_text(json.dumps(metrics), encoding="utf-8")


def _reference(spec: dict[str, Any]) -> Infers:
    if spec["exact"]:
        return OnnxRunner(Path(spec["onnx"]), THREADS)
    rotation = Rotation(**spec["rotation"])
    return RewrittenRunner(onnx_ir.load(spec["rewritten"]), rotation)


if __name__ == "__main__":
    main()
