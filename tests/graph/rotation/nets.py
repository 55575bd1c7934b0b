"""Tiny canonical graphs, and the check that ``rotate_graph`` keeps what they compute."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from mmdet2tflite.graph.edit import new_constant, new_node, shape_of
from mmdet2tflite.graph.rotation.rotate import RotatedGraph, rotate_graph
from mmdet2tflite.graph.window_operators import WindowOperator, find_window_operators

SIZES = ((6, 5), (7, 4), (1, 6), (5, 1))
"""Rows and columns: odd and even, never square, and axes without a direction."""

type Outputs = dict[str, np.ndarray]


class Net:
    """A graph of an ``image`` of N x C x H x W with small integers; arrays become initializers."""

    def __init__(self, *shape: int, opset: int = 18) -> None:
        self.shape, self.opset = shape, opset
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.shapes: dict[str, Sequence[int]] = {}
        """Of values where onnx does not infer them."""
        self.random = np.random.default_rng(0)

    def constant(self, array: object) -> str:
        name = f"c{len(self.initializers)}"
        value = np.asarray(array)
        value = value.astype(np.float32) if value.dtype == np.float64 else value
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def op(self, kind: str, *inputs: object, outputs: int = 1, **attributes):
        """The name of the output, or a list of names."""
        number = len(self.nodes)
        found = [f"v{number}" if outputs == 1 else f"v{number}_{i}" for i in range(outputs)]
        self.nodes.append(self.node(kind, inputs, found, **attributes))
        return found[0] if outputs == 1 else found

    def node(self, kind: str, inputs: Iterable, outputs: Sequence[str], **attributes):
        """Inputs are names, arrays, or "" where one is absent."""
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        name = f"{kind}_{len(self.nodes)}"
        return helper.make_node(kind, names, outputs, name=name, **attributes)

    def names(self) -> list[str]:
        """Of the constants."""
        return [each.name for each in self.initializers]

    def integers(self, *shape: int) -> np.ndarray:
        """Weights without a zero and without a symmetry."""
        return self.random.choice([-2.0, -1, 1, 2], shape)

    def conv(self, x: str, channels: int, into: int, kernel: Sequence[int], **attributes) -> str:
        weights = self.integers(into, channels // attributes.get("group", 1), *kernel)
        return self.op("Conv", x, weights, self.integers(into), **attributes)

    def stem(self, channels: int = 4) -> str:
        """A convolution of the image that is SAME only when it is flipped; keeps the size."""
        rows, columns = (1 if size == 1 else 2 for size in self.shape[2:])
        pads = [rows - 1, columns - 1, 0, 0]
        return self.conv("image", self.shape[1], channels, (rows, columns), pads=pads)

    def model(self, *outputs: str) -> onnx.ModelProto:
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, self.shape)
        values = [helper.make_empty_tensor_value_info(name) for name in outputs]
        known = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in self.shapes.items()
        ]
        values = [value for value in values if value.name not in self.shapes]
        graph = helper.make_graph(self.nodes, "tiny", [image], known + values, self.initializers)
        imports = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=9)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def run(model: onnx.ModelProto, image: np.ndarray) -> Outputs:
    """Every output by name, computed by the graph as it stands."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": image}), strict=True))


def check(
    model: onnx.ModelProto,
    tolerance: float = 0,
    look: Callable[[ir.Model], object] = lambda _: None,
) -> RotatedGraph:
    """Rotate the model; the outputs must be the same, within ``tolerance`` of their range.

    ``look``: what else to do with the rotated model, before its windows are written.
    """
    rotated = ir.from_proto(model)
    found = rotate_graph(rotated, find_window_operators(rotated.graph))
    look(rotated)
    for window in found.windows.values():
        write_pads(window)
    proto = ir.to_proto(rotated)
    onnx.checker.check_model(proto, full_check=True)
    shape = [side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim]
    image = np.random.default_rng(1).integers(-4, 5, shape).astype(np.float32)
    expected = run(model, image)
    actual = run(proto, np.flip(image, (2, 3)) if found.rotated_input else image)
    assert list(actual) == list(expected)
    for name, value in actual.items():
        unrotated = np.flip(value, (2, 3)) if name in found.rotated_outputs else value
        expected_range = float(np.abs(expected[name]).max())
        difference = np.abs(unrotated.astype(float) - expected[name]).max()
        assert difference <= tolerance * expected_range
    return found


def write_pads(window: WindowOperator) -> None:
    """The geometry of a window operator in its node: a crop as Slice, the rest as pads."""
    node, graph = window.node, window.node.graph
    value = node.inputs[0]
    assert isinstance(graph, ir.Graph)
    assert value is not None
    height, width = window.axes
    if height.crop or width.crop:
        numbers = ([height.crop, width.crop], [height.size, width.size], [2, 3])
        operands = [new_constant(graph, "crop", np.array(each, np.int64)) for each in numbers]
        shape = [*shape_of(value)[:2], height.size - height.crop, width.size - width.crop]
        name = f"{node.name}_crop"
        crop = new_node("Slice", [value, *operands], name=name, like=value, shape=shape)
        graph.insert_before(node, crop)
        node.replace_input_with(0, crop.outputs[0])
    node.attributes.pop("auto_pad", None)
    pads = (height.begin, width.begin, height.effective_end, width.effective_end)
    node.attributes.add(ir.AttrInt64s("pads", pads))


def count(model: ir.Model, kind: str) -> int:
    return sum(node.op_type == kind for node in model.graph)
