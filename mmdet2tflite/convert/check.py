"""Runs the parity check of a converted model against its ONNX, in a child process."""

from mmdet2tflite.artifacts import Dataset, KerasModel, OnnxModel, RewrittenModel, TfliteModel
from mmdet2tflite.backends.converted import CONVERTED
from mmdet2tflite.data.files import image_files
from mmdet2tflite.parity.check import PARITY_IMAGES
from mmdet2tflite.processes.toolchain import run_python
from mmdet2tflite.stage import Job
from mmdet2tflite.store.manifest import LOGS


def check_conversion(
    job: Job,
    result: TfliteModel | KerasModel,
    *,
    model: RewrittenModel,
    original: OnnxModel,
    dataset: Dataset,
    tolerance: float,
) -> dict[str, float]:
    """Load the finished file in ``job.work`` and compare its outputs on real images.

    Args:
        result: describes the file.
        model: the graph that it was made of.
        original: the graph before any rewriting.
        tolerance: largest error, relative to the tensor's range.

    Returns:
        The worst errors as metrics.

    Raises:
        ParityError: an output differs by more than the tolerance from the original's, or, where
            the strategy is not exact, from the rewritten graph's.
        ModelError: the file does not load.
    """
    images = image_files(job.store, dataset, "val")[:PARITY_IMAGES]
    spec = job.write_spec(
        "check",
        {
            "onnx": str(job.store.path(original, original.file)),
            "rewritten": str(job.store.path(model, model.file)),
            "exact": model.exact,
            "rotation": model.rotation.model_dump(),
            "model": result.model_dump(mode="json"),
            "images": [str(image) for image in images],
            "tolerance": tolerance,
        },
    )
    run_python(
        CONVERTED[result.kind].tool,
        "mmdet2tflite.convert.check_worker",
        [spec],
        log=job.work / LOGS / "check.log",
        timeout=job.timeout,
    )
    return job.read_result()
