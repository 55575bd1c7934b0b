"""Stage: ONNX → canonical ONNX → one padding strategy; checked against the original."""

from mmdet2tflite.artifacts import Dataset, OnnxModel, RewrittenModel
from mmdet2tflite.config.base import ConfigSection
from mmdet2tflite.config.names import PaddingName
from mmdet2tflite.data.files import image_files
from mmdet2tflite.graph.rewrite_request import RewriteRequest
from mmdet2tflite.parity.check import PARITY_IMAGES
from mmdet2tflite.stage import Job, Stage


class RewriteConfig(ConfigSection):
    """One padding strategy of the experiment's variants."""

    padding: PaddingName
    tolerance: float


def rewrite(
    job: Job, config: RewriteConfig, *, model: OnnxModel, dataset: Dataset
) -> RewrittenModel:
    """Rewrite the graph, and compare it with the original on real images.

    Raises:
        ParityError: an exact strategy misses ``config.tolerance``.
        ModelError: the strategy refuses this graph.
    """
    images = image_files(job.store, dataset, "val")[:PARITY_IMAGES]
    request = RewriteRequest(
        model=model,
        onnx=job.store.path(model, model.file),
        padding=config.padding,
        images=images,
        tolerance=config.tolerance,
        work=job.work,
    )
    worker = "mmdet2tflite.graph.rewrite_worker"
    return job.ask("onnx-ir", worker, request, RewrittenModel, log="rewrite")


REWRITE: Stage[RewrittenModel] = Stage(
    name="rewritten",
    run=rewrite,
    tools=("onnx", "onnx-ir", "onnxruntime"),
)
