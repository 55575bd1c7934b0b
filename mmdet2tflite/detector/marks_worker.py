"""Child process: traces a detector and lists its marks."""

from pathlib import Path

from mmdet2tflite.detector import compat

compat.prepare_export()  # before anything imports mmdet

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
from mmdeploy.apis import torch2onnx  # noqa: E402
from mmengine.config import Config  # noqa: E402

from mmdet2tflite.detector import augment, layers  # noqa: E402, F401  (the config names their classes)
from mmdet2tflite.detector.command_requests import Mark, MarksRequest  # noqa: E402
from mmdet2tflite.detector.head_cut import mark_behind_head  # noqa: E402
from mmdet2tflite.detector.mmdet_config import build_config  # noqa: E402
from mmdet2tflite.detector.scope import enter_scope  # noqa: E402
from mmdet2tflite.errors import ConfigError  # noqa: E402
from mmdet2tflite.processes.messages import answer  # noqa: E402

DEPLOY = Path("configs/deploy/base.py")
UNCUT, IMAGE = "end2end.onnx", "image.png"


def find_marks(request: MarksRequest) -> list[Mark]:
    """Trace the network on an empty image."""
    work, network = request.work, request.network
    if isinstance(network, Path):
        cfg = Config.fromfile(network)
    else:
        cfg = build_config(network.detector, network.training, network.data, work)
    enter_scope(cfg)
    width, height = input_size(cfg)
    cv2.imwrite(str(work / IMAGE), np.zeros((height, width, 3), np.uint8))
    deploy = Config.fromfile(str(request.root / DEPLOY))
    deploy.onnx_config.input_shape = [width, height]
    mark_behind_head()
    torch2onnx(str(work / IMAGE), str(work), UNCUT, deploy, cfg, None, device="cpu")
    return list_marks(onnx.load(work / UNCUT))


def input_size(cfg: Config) -> tuple[int, int]:
    """Width and height of the letterbox. Raises ConfigError: this project wrote no such config."""
    for step in cfg.get("test_pipeline") or ():
        if step["type"] == "FixShapeResize":
            return step["width"], step["height"]
    raise ConfigError(
        f"{cfg.filename} says no input size",
        "the config of a checkpoint of this project, whose test_pipeline has a FixShapeResize",
        "name an experiment with this config as detector.config",
    )


def list_marks(model: onnx.ModelProto) -> list[Mark]:
    """The marks of a traced graph, in its order."""
    marks = []
    for node in model.graph.node:
        if node.op_type == "Mark":
            values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            function, number = values["func"].decode(), values["func_id"]
            place = function if number == 0 else f"{function}[{number}]"
            marks.append(
                Mark(
                    mark=f"{place}:{values['type'].decode()}",
                    tensor=values["name"].decode(),
                    type=onnx.TensorProto.DataType.Name(values["dtype"]).lower(),
                    shape=tuple(values["shape"]),
                )
            )
    return marks


if __name__ == "__main__":
    answer(find_marks, MarksRequest)
