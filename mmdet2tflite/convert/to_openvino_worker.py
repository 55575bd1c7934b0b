"""Child process: ONNX → OpenVINO's intermediate representation, checked on real images."""

from mmdet2tflite.artifacts import OpenvinoModel
from mmdet2tflite.backends.openvino_runner import OpenvinoRunner
from mmdet2tflite.convert.converters.ir import read_onnx, write_ir
from mmdet2tflite.convert.requests import OpenvinoRequest
from mmdet2tflite.graph.verify import open_reference
from mmdet2tflite.parity.check import check_parity, run_on_images
from mmdet2tflite.processes.messages import answer

THREADS = 2


def convert(request: OpenvinoRequest) -> OpenvinoModel:
    """Write the files; the worst errors are the metrics. Raises ModelError, ParityError."""
    model, images = request.model, request.images
    xml = request.work / model.file
    write_ir(read_onnx(request.onnx), xml)
    names = [output.name for output in model.outputs]
    metrics = check_parity(
        run_on_images(open_reference(request.onnx, THREADS), images, model.preprocessing),
        run_on_images(OpenvinoRunner(xml, names, THREADS), images, model.preprocessing),
        request.tolerance,
        "OpenVINO against ONNX Runtime",
    )
    return model.model_copy(update={"metrics": metrics})


if __name__ == "__main__":
    answer(convert, OpenvinoRequest)
