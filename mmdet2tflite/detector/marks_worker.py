"""Child process: traces a detector and lists its marks.

Argument: a JSON file with ``config`` (a complete mmdet config) or ``detector``, ``training`` and
``classes``; ``root`` (the project's), ``work``, ``result``.
"""

import json
import sys
from pathlib import Path
from typing import Any

from mmdet2tflite.detector import compat

compat.prepare_export()  # before anything imports mmdet

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
from mmdeploy.apis import torch2onnx  # noqa: E402
from mmengine.config import Config  # noqa: E402

from mmdet2tflite.config.experiment import DetectorConfig, Training  # noqa: E402
from mmdet2tflite.detector import augment, layers  # noqa: E402, F401  (the config names their classes)
from mmdet2tflite.detector.mmdet_config import DataPaths, build_config  # noqa: E402
from mmdet2tflite.errors import ConfigError  # noqa: E402

DEPLOY = Path("configs/deploy/base.py")
UNCUT, IMAGE = "end2end.onnx", "image.png"


def main() -> None:
    """Trace the network on an empty image; the result is a list of ``marks.Mark`` as JSON."""
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    work = Path(spec["work"])
    cfg = Config.fromfile(spec["config"]) if "config" in spec else _build(spec, work)
    width, height = input_size(cfg)
    cv2.imwrite(str(work / IMAGE), np.zeros((height, width, 3), np.uint8))
    deploy = Config.fromfile(str(Path(spec["root"]) / DEPLOY))
    deploy.onnx_config.input_shape = [width, height]
    torch2onnx(str(work / IMAGE), str(work), UNCUT, deploy, cfg, None, device="cpu")
    marks = list_marks(onnx.load(work / UNCUT))
    Path(spec["result"]).write_text(json.dumps(marks), encoding="utf-8")


def _build(spec: dict[str, Any], work: Path) -> Config:
    nowhere = (work / "none.json", work)
    data = DataPaths(classes=spec["classes"], train=nowhere, val=nowhere)
    detector = DetectorConfig.model_validate(spec["detector"])
    return build_config(detector, Training.model_validate(spec["training"]), data, work)


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


def list_marks(model: onnx.ModelProto) -> list[dict[str, Any]]:
    """The marks of a traced graph (``marks.Mark``), in its order."""
    marks = []
    for node in model.graph.node:
        if node.op_type == "Mark":
            values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            function, number = values["func"].decode(), values["func_id"]
            place = function if number == 0 else f"{function}[{number}]"
            marks.append(
                {
                    "mark": f"{place}:{values['type'].decode()}",
                    "tensor": values["name"].decode(),
                    "type": onnx.TensorProto.DataType.Name(values["dtype"]).lower(),
                    "shape": list(values["shape"]),
                }
            )
    return marks


if __name__ == "__main__":
    main()
