"""Child process: the parity check of a converted file, on real images.

The file of an exact strategy is compared with the original ONNX, that of an inexact one with the
rewritten graph: the conversion itself must be right.

In a child, because a wrong file can bring the interpreter down with it, and because nothing of the
converter is there to help.
"""

import onnx_ir

from mmdet2tflite.backends.converted import CONVERTED
from mmdet2tflite.convert.requests import CheckRequest
from mmdet2tflite.graph.verify import RewrittenRunner, open_reference
from mmdet2tflite.parity.check import Infers, check_parity, run_on_images
from mmdet2tflite.processes.messages import answer

THREADS = 2


def check(request: CheckRequest) -> dict[str, float]:
    """The worst errors as metrics. Raises ParityError."""
    model, images = request.model, request.images
    backend = CONVERTED[model.kind]
    converted = backend.open(model, request.work, backend.kernel_sets[0], THREADS)
    return check_parity(
        run_on_images(_reference(request), images, model.preprocessing),
        run_on_images(converted, images, model.preprocessing),
        request.tolerance,
        f"{model.variant} against the {'original' if model.exact else 'rewritten'} ONNX",
    )


def _reference(request: CheckRequest) -> Infers:
    if request.source.exact:
        return open_reference(request.onnx, THREADS)
    return RewrittenRunner(onnx_ir.load(request.rewritten), request.source.rotation)


if __name__ == "__main__":
    answer(check, CheckRequest)
