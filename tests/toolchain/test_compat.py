"""Each mend is still needed: without it, what it mends fails. If that changes, delete the patch."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmdet2tflite.detector.compat import COMPATIBILITY_PATCHES

pytestmark = pytest.mark.toolchain

# Each ends with a traceback unless the patches up to and including its own are in place.
PROOFS = {
    "compiled-operators": """
import mmdet.models
import torch
from mmcv.ops import box_iou_rotated, diff_iou_rotated_2d, nms, nms_rotated
square, turned = torch.tensor([[0.0, 0, 2, 2, 0]]), torch.tensor([[0.0, 0, 2, 2, 1.5708]])
assert abs(box_iou_rotated(square, turned).item() - 1) < 1e-4
assert abs(diff_iou_rotated_2d(square[None], turned[None]).item() - 1) < 1e-4
boxes, scores = torch.cat([square, turned]), torch.tensor([0.1, 0.2])
assert nms_rotated(boxes, scores, 0.9)[1].tolist() == [1]
assert nms(torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2]]), scores, 0.9)[1].tolist() == [1]
""",
    "ssd-loss": """
import torch
from mmdet.models import SSDHead
from mmengine.config import ConfigDict
anchors = dict(type="SSDAnchorGenerator", strides=[8], ratios=[[2]], min_sizes=[8], max_sizes=[16])
test = ConfigDict(score_thr=0.1, nms=dict(type="nms", iou_threshold=0.5), max_per_img=9)
head = SSDHead(num_classes=2, in_channels=[4], anchor_generator=anchors, test_cfg=test)
maps = ([torch.zeros(1, n * 4, 1, 1)] for n in (3, 4))
assert len(head.predict_by_feat(*maps, batch_img_metas=[dict(img_shape=(8, 8))])) == 1
""",
    "safe-checkpoint-types": """
import torch
from mmengine.logging.history_buffer import HistoryBuffer
torch.save({"buffer": HistoryBuffer([1.0], [1])}, "checkpoint.pth")
assert torch.load("checkpoint.pth")["buffer"].statistics("mean") == 1.0
""",
    "torchscript-exporter": """
import onnx, torch
class Marked(torch.autograd.Function):
    # as mmdeploy's marks: an operator that only the TorchScript tracer writes out
    @staticmethod
    def symbolic(graph, x):
        return graph.op("mmdeploy::Mark", x)
    @staticmethod
    def forward(ctx, x):
        return x.clone()
class Network(torch.nn.Module):
    def forward(self, x):
        return Marked.apply(x)
torch.onnx.export(Network(), (torch.zeros(1),), "mark.onnx", opset_version=13)
assert [node.op_type for node in onnx.load("mark.onnx").graph.node] == ["Mark"]
""",
    "plain-extractor": """
from mmdeploy.core.optimizers import create_extractor
from onnx import TensorProto, helper
def value(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
nodes = [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Neg", ["b"], ["c"])]
graph = helper.make_graph(nodes, "g", [value("a")], [value("c")], value_info=[value("b")])
part = create_extractor(helper.make_model(graph)).extract_model(["a"], ["b"])
assert [node.op_type for node in part.graph.node] == ["Relu"]
""",
}

WITHOUT = """
from mmdet2tflite.detector import compat
for patch in compat.COMPATIBILITY_PATCHES:
    if patch.name != {without!r} and patch.needed():
        patch.apply()
"""


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", script]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", [patch.name for patch in COMPATIBILITY_PATCHES])
def test_a_patch_makes_the_difference(tmp_path, name):
    patched = run(WITHOUT.format(without="") + PROOFS[name], tmp_path)
    assert patched.returncode == 0, patched.stderr
    broken = run(WITHOUT.format(without=name) + PROOFS[name], tmp_path)
    assert broken.returncode != 0, f"{name} is no longer needed: delete it"


def test_each_operator_of_the_stand_in_is_one_that_mmcv_asks_for(tmp_path):
    script = """
import inspect, sys
from mmdet2tflite.detector import compat
compat.prepare()
import mmcv.ops
modules = [vars(mmcv.ops)[name] for name in ("nms", "box_iou_rotated", "diff_iou_rotated_2d")]
asked = "".join(inspect.getsource(inspect.getmodule(module)) for module in modules)
ours = [name for name in vars(sys.modules["mmcv._ext"]) if not name.startswith("__")]
print(*(name for name in ours if f"ext_module.{name}(" in asked))
print(*ours)
"""
    done = run(script, tmp_path)
    assert done.returncode == 0, done.stderr
    asked, ours = done.stdout.splitlines()
    assert asked == ours
    assert len(ours.split()) == 4


def test_an_operator_that_is_missing_says_what_to_install(tmp_path):
    script = """
from mmdet2tflite.detector import compat
compat.prepare()
import torch
from mmcv.ops import convex_iou
convex_iou(torch.zeros(1, 18), torch.zeros(1, 8))
"""
    done = run(script, tmp_path)
    assert "NoCompiledOperator: mmcv.ops.convex_iou is a compiled operator" in done.stderr
    assert "install the full mmcv 2.1.0" in done.stderr
