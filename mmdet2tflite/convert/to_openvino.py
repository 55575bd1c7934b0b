"""Stage: ONNX → OpenVINO's intermediate representation, to be run by OpenVINO itself."""

from mmdet2tflite.artifacts import Dataset, OnnxModel, OpenvinoModel
from mmdet2tflite.config.base import ConfigSection
from mmdet2tflite.data.files import image_files
from mmdet2tflite.parity.check import PARITY_IMAGES
from mmdet2tflite.processes.toolchain import WITHOUT_TELEMETRY, run_python
from mmdet2tflite.stage import Job, Stage
from mmdet2tflite.store.manifest import LOGS


class OpenvinoConfig(ConfigSection):
    """``tolerance``: largest error against the ONNX, relative to the tensor's range."""

    tolerance: float


def to_openvino(
    job: Job, config: OpenvinoConfig, *, model: OnnxModel, dataset: Dataset
) -> OpenvinoModel:
    """Convert with ``ovc``, and compare with the ONNX on real images.

    Raises:
        ParityError: an output misses ``config.tolerance``.
        ModelError: OpenVINO does not take the graph.
    """
    result = OpenvinoModel(
        head=model.head, preprocessing=model.preprocessing, outputs=model.outputs
    )
    images = image_files(job.store, dataset, "val")[:PARITY_IMAGES]
    spec = job.write_spec(
        "openvino",
        {
            "onnx": str(job.store.path(model, model.file)),
            "model": result.model_dump(mode="json"),
            "images": [str(image) for image in images],
            "tolerance": config.tolerance,
        },
    )
    run_python(
        "openvino",
        "mmdet2tflite.convert.to_openvino_worker",
        [spec],
        log=job.work / LOGS / "openvino.log",
        timeout=job.timeout,
        environment=WITHOUT_TELEMETRY,
    )
    return result.model_copy(update={"metrics": job.read_result()})


OPENVINO: Stage[OpenvinoModel] = Stage(
    name="openvino",
    run=to_openvino,
    tools=("onnxruntime", "openvino"),
)
