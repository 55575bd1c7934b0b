"""Tiny models made by hand: convolutions with known weights, the same in ONNX and TFLite."""

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from mmdet2tflite.processes.interruption import interruptible

type Layers = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Output name → weights (O x I x kH x kW) and bias (O) of a VALID convolution of the input."""

IDENTITY = {"PAD": np.zeros((4, 2), np.int32), "TRANSPOSE": np.arange(4, dtype=np.int32)}
"""Second operands with which these operators change nothing."""


def pytest_unconfigure() -> None:
    """Prefect says at the end that its server stops, to a stream that pytest has closed."""
    logging.raiseExceptions = False


@pytest.fixture(autouse=True)
def _nobody_is_interrupted_afterwards() -> Iterator[None]:
    """An interruption is the process's, and would reach whichever test comes next."""
    yield
    with interruptible():
        pass


@pytest.fixture
def write_onnx() -> Callable[..., Path]:
    return _write_onnx


@pytest.fixture
def write_tflite() -> Callable[..., Path]:
    return _write_tflite


@pytest.fixture
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of the test's own: it neither waits for a real evaluation nor holds one up."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def _write_onnx(
    path: Path, input_shape: Sequence[int], layers: Layers, before: Sequence[str] = ()
) -> Path:
    """``before``: identity operators (``Pad``, ``Transpose``) between input and convolutions."""
    nodes, initializers, value = [], [], "image"
    for number, name in enumerate(before):
        result = f"step_{number}"
        if name == "Pad":
            initializers.append(numpy_helper.from_array(np.zeros(8, np.int64), f"pads_{number}"))
            nodes.append(helper.make_node("Pad", [value, f"pads_{number}"], [result]))
        else:
            nodes.append(helper.make_node(name, [value], [result], perm=[0, 1, 2, 3]))
        value = result
    outputs = []
    for name, (weights, bias) in layers.items():
        initializers += [
            numpy_helper.from_array(weights.astype(np.float32), f"{name}.w"),
            numpy_helper.from_array(bias.astype(np.float32), f"{name}.b"),
        ]
        nodes.append(helper.make_node("Conv", [value, f"{name}.w", f"{name}.b"], [name]))
        shape = _output_shape(input_shape, weights)
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, input_shape)
    graph = helper.make_graph(nodes, "tiny", [image], outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def _output_shape(input_shape: Sequence[int], weights: np.ndarray) -> list[int]:
    _, _, height, width = input_shape
    return [1, len(weights), height - weights.shape[2] + 1, width - weights.shape[3] + 1]


class _Tflite:
    """Collects tensors and operators of one subgraph."""

    def __init__(self) -> None:
        self.model = schema.ModelT(version=3, buffers=[schema.BufferT()], operatorCodes=[])
        self.graph = schema.SubGraphT(tensors=[], operators=[], inputs=[], outputs=[])
        self.model.subgraphs = [self.graph]

    def tensor(self, name: str, shape: Sequence[int], value: np.ndarray | None = None) -> int:
        integer = value is not None and value.dtype == np.int32
        kind = schema.TensorType.INT32 if integer else schema.TensorType.FLOAT32
        buffer = 0
        if value is not None:
            content = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
            self.model.buffers.append(schema.BufferT(data=content))
            buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(
            schema.TensorT(name=name, shape=list(shape), type=kind, buffer=buffer)
        )
        return len(self.graph.tensors) - 1

    def operator(self, name: str, inputs: list[int], output: int, **options: object) -> None:
        code = getattr(schema.BuiltinOperator, name)
        # As files of old converters: the wide field is used only where one byte does not do.
        old, new = (code, 0) if code < 127 else (127, code)
        self.model.operatorCodes.append(
            schema.OperatorCodeT(builtinCode=new, deprecatedBuiltinCode=old, version=1)
        )
        index = len(self.model.operatorCodes) - 1
        self.graph.operators.append(
            schema.OperatorT(opcodeIndex=index, inputs=inputs, outputs=[output], **options)
        )


def _write_tflite(
    path: Path, input_shape: Sequence[int], layers: Layers, before: Sequence[str] = ()
) -> Path:
    """As ``_write_onnx``, in NHWC; the file's outputs stand in reverse order."""
    builder = _Tflite()
    _, channels, height, width = input_shape
    nhwc = [1, height, width, channels]
    value = builder.tensor("image", nhwc)
    builder.graph.inputs = [value]
    for number, name in enumerate(before):
        operands = [value]
        if name in IDENTITY:
            operand = IDENTITY[name]
            operands.append(builder.tensor(f"operand_{number}", operand.shape, operand))
        result = builder.tensor(f"step_{number}", nhwc)
        builder.operator(name, operands, result)
        value = result
    for name, (weights, bias) in layers.items():
        ohwi = weights.astype(np.float32).transpose(0, 2, 3, 1)
        operands = [
            builder.tensor(f"{name}/w", ohwi.shape, ohwi),
            builder.tensor(f"{name}/b", bias.shape, bias.astype(np.float32)),
        ]
        _, depth, rows, columns = _output_shape(input_shape, weights)
        output = builder.tensor(name, [1, rows, columns, depth])
        builder.operator(
            "CONV_2D",
            [value, *operands],
            output,
            builtinOptionsType=schema.BuiltinOptions.Conv2DOptions,
            builtinOptions=schema.Conv2DOptionsT(
                padding=schema.Padding.VALID,
                strideW=1,
                strideH=1,
                dilationWFactor=1,
                dilationHFactor=1,
            ),
        )
        builder.graph.outputs.insert(0, output)
    buffer = flatbuffers.Builder(1024)
    buffer.Finish(builder.model.Pack(buffer), file_identifier=b"TFL3")
    path.write_bytes(buffer.Output())
    return path
