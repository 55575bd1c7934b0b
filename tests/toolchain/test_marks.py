"""``mmdet2tflite marks`` on the golden network, traced by mmdeploy."""

import pytest
from onnx import TensorProto, helper

from mmdet2tflite.cli.marks import find_marks
from mmdet2tflite.detector.command_requests import Mark
from tests.toolchain.golden import SIZE

pytestmark = pytest.mark.toolchain

MAPS = {"cls_scores": 10, "bbox_preds": 4, "objectnesses": 1}
WIDTH, HEIGHT = SIZE


def test_yolox_can_be_cut_where_its_deploy_config_cuts_it(main_path):
    checkpoint = main_path.checkpoint
    marks = find_marks(main_path.store.path(checkpoint, checkpoint.weights), trust_config=True)
    assert marks[0] == Mark("detector_forward:input", "input", "float", (1, 3, HEIGHT, WIDTH))
    assert [mark for mark in marks if mark.mark == "yolo_head:input"] == [
        Mark("yolo_head:input", f"{name}.{i}", "float", (1, c, HEIGHT // stride, WIDTH // stride))
        for name, c in MAPS.items()
        for i, stride in enumerate((8, 16, 32))
    ]


def test_a_second_call_of_a_function_has_its_number_in_the_mark():
    from mmdet2tflite.detector.marks_worker import list_marks

    node = helper.make_node("Mark", ["x"], ["y"], domain="mmdeploy")
    values = {
        "func": "nms",
        "func_id": 1,
        "type": "output",
        "name": "dets.0",
        "dtype": TensorProto.INT64,
        "shape": [4],
    }
    node.attribute.extend(helper.make_attribute(name, value) for name, value in values.items())
    model = helper.make_model(helper.make_graph([node], "g", [], []))
    assert list_marks(model) == [Mark("nms[1]:output", "dets.0", "int64", (4,))]
