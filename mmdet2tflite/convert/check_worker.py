"""Child process: the parity check of a converted file, on real images.

Argument: a JSON file with ``onnx``, ``rewritten``, ``exact``, ``rotation``, ``model``, ``images``,
``tolerance``, ``work``, ``result``. The file of an exact strategy is compared with the original
ONNX, that of an inexact one with the rewritten graph: the conversion itself must be right.

In a child, because a wrong file can bring the interpreter down with it, and because nothing of the
converter is there to help.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import onnx_ir
from pydantic import Field, TypeAdapter

from mmdet2tflite.artifacts import KerasModel, TfliteModel
from mmdet2tflite.backends.converted import CONVERTED
from mmdet2tflite.graph.verify import RewrittenRunner, open_reference
from mmdet2tflite.parity.check import Infers, check_parity, run_on_images
from mmdet2tflite.runtime.passport import Rotation

THREADS = 2
MODEL: TypeAdapter[TfliteModel | KerasModel] = TypeAdapter(
    Annotated[TfliteModel | KerasModel, Field(discriminator="kind")]
)


def main() -> None:
    """Write the worst errors as metrics. Raises ParityError."""
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    model = MODEL.validate_python(spec["model"])
    images = [Path(image) for image in spec["images"]]
    backend = CONVERTED[model.kind]
    converted = backend.open(model, Path(spec["work"]), backend.kernel_sets[0], THREADS)
    metrics = check_parity(
        run_on_images(_reference(spec), images, model.preprocessing),
        run_on_images(converted, images, model.preprocessing),
        spec["tolerance"],
        f"{model.variant} against the {'original' if spec['exact'] else 'rewritten'} ONNX",
    )
    Path(spec["result"]).write_text(json.dumps(metrics), encoding="utf-8")


def _reference(spec: dict[str, Any]) -> Infers:
    if spec["exact"]:
        return open_reference(Path(spec["onnx"]), THREADS)
    rotation = Rotation(**spec["rotation"])
    return RewrittenRunner(onnx_ir.load(spec["rewritten"]), rotation)


if __name__ == "__main__":
    main()
