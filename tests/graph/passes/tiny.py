"""Tiny graphs made by hand, one pass on them, and ONNX Runtime before and after."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from mmdet2tflite.graph.passes.constants import FoldConstants
from mmdet2tflite.graph.passes.reporting import ReportingPass

type Arrays = Mapping[str, np.ndarray]

IMAGE = (1, 2, 7, 8)
node = helper.make_node


class Done(NamedTuple):
    """What a pass left behind."""

    model: ir.Model
    sentences: list[str]

    @property
    def ops(self) -> list[str]:
        return [each.op_type for each in self.model.graph]

    def one(self, op_type: str) -> ir.Node:
        (found,) = [each for each in self.model.graph if each.op_type == op_type]
        return found


def build(
    nodes: Sequence[onnx.NodeProto],
    constants: Arrays | None = None,
    *,
    image: Sequence[int | str] = IMAGE,
    outputs: Mapping[str, int] = MappingProxyType({"y": 4}),
    opset: int = 13,
) -> onnx.ModelProto:
    """A valid model; its input is ``x``, its outputs, name → rank, are float32 of any size."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, image)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank)
            for name, rank in outputs.items()
        ],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def apply(kind: type[ReportingPass], proto: onnx.ModelProto) -> Done:
    """One pass on a graph whose shapes are known."""
    model = ir.from_proto(proto)
    FoldConstants()(model)
    step = kind()
    result = step(model)
    changes = [sentence for sentence in step.sentences if not sentence.startswith("left ")]
    assert result.modified or not changes
    return Done(model, step.sentences)


def integers(*shape: int, seed: int = 0) -> np.ndarray:
    """Small integers other than 0: sums of a few of their products are exact in float32."""
    random = np.random.default_rng(seed)
    return (random.integers(1, 6, shape) * random.choice([-1, 1], shape)).astype(np.float32)


def run(proto: onnx.ModelProto, image: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Outputs of ONNX Runtime, which optimises nothing."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    (value,) = session.get_inputs()
    feeds = {value.name: integers(*value.shape) if image is None else image}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def assert_same(
    before: onnx.ModelProto,
    after: ir.Model,
    *,
    relative: float = 0,
    image: np.ndarray | None = None,
) -> None:
    """The same output names and numbers; the shapes that the graph states are the real ones."""
    proto = ir.to_proto(after)
    onnx.checker.check_model(proto)
    wanted, got = run(before, image), run(proto, image)
    assert list(got) == list(wanted)
    for value in after.graph.outputs:
        assert value.shape is not None
        assert tuple(value.shape) == wanted[value.name].shape
    for name, array in wanted.items():
        tolerance = relative * float(np.abs(array).max())
        np.testing.assert_allclose(got[name], array, rtol=0, atol=tolerance, err_msg=name)
