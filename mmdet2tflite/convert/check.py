"""Runs the parity check of a converted model against its ONNX, in a child process."""

from mmdet2tflite.artifacts import Dataset, KerasModel, OnnxModel, RewrittenModel, TfliteModel
from mmdet2tflite.backends.converted import CONVERTED
from mmdet2tflite.convert.requests import CheckRequest
from mmdet2tflite.data.files import image_files
from mmdet2tflite.parity.check import PARITY_IMAGES
from mmdet2tflite.stage import Job


def check_conversion[M: (TfliteModel, KerasModel)](
    job: Job,
    result: M,
    *,
    model: RewrittenModel,
    original: OnnxModel,
    dataset: Dataset,
    tolerance: float,
) -> M:
    """Load the finished file in ``job.work`` and compare its outputs on real images.

    Args:
        result: describes the file.
        model: the graph that it was made of.
        original: the graph before any rewriting.
        tolerance: largest error, relative to the tensor's range.

    Returns:
        ``result`` with the worst errors as metrics.

    Raises:
        ParityError: an output differs by more than the tolerance from the original's, or, where
            the strategy is not exact, from the rewritten graph's.
        ModelError: the file does not load.
    """
    request = CheckRequest(
        onnx=job.store.path(original, original.file),
        source=model,
        rewritten=job.store.path(model, model.file),
        model=result,
        images=image_files(job.store, dataset, "val")[:PARITY_IMAGES],
        tolerance=tolerance,
        work=job.work,
    )
    tool, worker = CONVERTED[result.kind].tool, "mmdet2tflite.convert.check_worker"
    metrics = job.ask(tool, worker, request, dict[str, float], log="check")
    return result.model_copy(update={"metrics": metrics})
