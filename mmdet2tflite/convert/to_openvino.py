"""Stage: ONNX → OpenVINO's intermediate representation, to be run by OpenVINO itself."""

from mmdet2tflite.artifacts import Dataset, OnnxModel, OpenvinoModel
from mmdet2tflite.config.base import ConfigSection
from mmdet2tflite.convert.requests import OpenvinoRequest
from mmdet2tflite.data.files import image_files
from mmdet2tflite.parity.check import PARITY_IMAGES
from mmdet2tflite.processes.toolchain import WITHOUT_TELEMETRY
from mmdet2tflite.stage import Job, Stage


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
    request = OpenvinoRequest(
        onnx=job.store.path(model, model.file),
        model=OpenvinoModel(
            head=model.head, preprocessing=model.preprocessing, outputs=model.outputs
        ),
        images=image_files(job.store, dataset, "val")[:PARITY_IMAGES],
        tolerance=config.tolerance,
        work=job.work,
    )
    worker, environment = "mmdet2tflite.convert.to_openvino_worker", WITHOUT_TELEMETRY
    return job.ask(
        "openvino", worker, request, OpenvinoModel, log="openvino", environment=environment
    )


OPENVINO: Stage[OpenvinoModel] = Stage(
    name="openvino",
    run=to_openvino,
    tools=("onnxruntime", "openvino"),
)
