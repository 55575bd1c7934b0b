"""TFLite models for tests: written by hand (any operator, any type), and run by LiteRT."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from mmdet2tflite.tflite.flatbuffer import serialise

TYPES = {
    np.dtype(name): getattr(schema.TensorType, name.upper())
    for name in ("float32", "int8", "uint8", "int16", "int32", "int64")
}


class Writer:
    """Collects the tensors and operators of one graph in ``model``, in the order of the calls."""

    def __init__(self) -> None:
        self.graph = schema.SubGraphT(tensors=[], operators=[], inputs=[], outputs=[])
        self.model = schema.ModelT(
            version=3, buffers=[schema.BufferT()], operatorCodes=[], subgraphs=[self.graph]
        )

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: Any = np.float32,
        scale: float | Sequence[float] = (),
        zero_point: int = 0,
        channels: int = 0,
    ) -> int:
        """``scale``: one, or one for each of ``channels``' axis; none for a tensor of reals."""
        scales = np.atleast_1d(np.asarray(scale, np.float32))
        quantisation = schema.QuantizationParametersT(
            scale=scales,
            zeroPoint=np.full(len(scales), zero_point, np.int64),
            quantizedDimension=channels,
        )
        self.graph.tensors.append(
            schema.TensorT(
                name=name.encode(),
                shape=list(shape),
                type=TYPES[np.dtype(dtype)],
                buffer=0,
                quantization=quantisation if len(scales) else None,
            )
        )
        return len(self.graph.tensors) - 1

    def constant(self, name: str, value: np.ndarray, **quantisation: Any) -> int:
        index = self.tensor(name, value.shape, value.dtype, **quantisation)
        content = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        self.model.buffers.append(schema.BufferT(data=content))
        self.graph.tensors[index].buffer = len(self.model.buffers) - 1
        return index

    def operator(
        self, name: str, inputs: Sequence[int], output: int, options: Any = None, version: int = 1
    ) -> int:
        code = getattr(schema.BuiltinOperator, name)
        self.model.operatorCodes.append(
            schema.OperatorCodeT(
                builtinCode=code, deprecatedBuiltinCode=min(code, 127), version=version
            )
        )
        kind = type(options).__name__.removesuffix("T") if options else "NONE"
        self.graph.operators.append(
            schema.OperatorT(
                opcodeIndex=len(self.model.operatorCodes) - 1,
                inputs=list(inputs),
                outputs=[output],
                builtinOptionsType=getattr(schema.BuiltinOptions, kind),
                builtinOptions=options,
            )
        )
        return output

    def conv(
        self,
        value: int,
        kernel: int,
        bias: int,
        output: int,
        *,
        strides: tuple[int, int] = (1, 1),
        dilations: tuple[int, int] = (1, 1),
        same: bool = False,
        depthwise: bool = False,
        quantised: bool = False,
    ) -> int:
        options: Any = schema.Conv2DOptionsT()
        if depthwise:
            options = schema.DepthwiseConv2DOptionsT(depthMultiplier=1)
        options.padding = schema.Padding.SAME if same else schema.Padding.VALID
        options.strideH, options.strideW = strides
        options.dilationHFactor, options.dilationWFactor = dilations
        name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        version = 3 if quantised else 2 if depthwise else 1
        return self.operator(name, [value, kernel, bias], output, options, version)

    def finish(
        self, inputs: Mapping[str, int], outputs: Mapping[str, int], signature: bool = True
    ) -> schema.ModelT:
        """The model; the names are those of its signature."""
        self.graph.inputs, self.graph.outputs = list(inputs.values()), list(outputs.values())
        if signature:
            self.model.signatureDefs = [
                schema.SignatureDefT(
                    inputs=_entries(inputs),
                    outputs=_entries(outputs),
                    signatureKey=b"serving_default",
                    subgraphIndex=0,
                )
            ]
        return self.model


def _entries(tensors: Mapping[str, int]) -> list[schema.TensorMapT]:
    return [
        schema.TensorMapT(name=name.encode(), tensorIndex=index) for name, index in tensors.items()
    ]


def infer(model: schema.ModelT, image: np.ndarray, xnnpack: bool = True) -> dict[str, np.ndarray]:
    """Outputs by tensor name, as LiteRT computes them."""
    interpreter = Interpreter(
        model_content=serialise(model),
        experimental_op_resolver_type=OpResolverType.AUTO
        if xnnpack
        else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return {
        detail["name"]: interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_output_details()
    }
