"""Stage: ONNX → canonical ONNX → one padding strategy; checked against the original."""

from mmdet2tflite.artifacts import Dataset, OnnxModel, RewrittenModel
from mmdet2tflite.config.base import ConfigSection
from mmdet2tflite.config.names import PaddingName
from mmdet2tflite.data.files import image_files
from mmdet2tflite.parity.check import PARITY_IMAGES
from mmdet2tflite.processes.toolchain import run_python
from mmdet2tflite.stage import Job, Stage
from mmdet2tflite.store.manifest import LOGS


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
    spec = job.write_spec(
        "rewrite",
        {
            "onnx": str(job.store.path(model, model.file)),
            "padding": config.padding,
            "preprocessing": model.preprocessing.model_dump(mode="json"),
            "images": [str(image) for image in images],
            "tolerance": config.tolerance,
        },
    )
    run_python(
        "onnx-ir",
        "mmdet2tflite.graph.rewrite_worker",
        [spec],
        log=job.work / LOGS / "rewrite.log",
        timeout=job.timeout,
    )
    return RewrittenModel(
        head=model.head,
        preprocessing=model.preprocessing,
        outputs=model.outputs,
        **job.read_result(),
    )


REWRITE: Stage[RewrittenModel] = Stage(
    name="rewritten",
    run=rewrite,
    tools=("onnx", "onnx-ir", "onnxruntime"),
)
