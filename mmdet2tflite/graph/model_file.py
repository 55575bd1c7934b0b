"""An ONNX file, checked and brought into the one shape that the graph core works on."""

from pathlib import Path

import onnx
import onnx.checker
import onnx_ir as ir
from google.protobuf.message import DecodeError
from onnx.external_data_helper import (
    ExternalDataInfo,
    load_external_data_for_model,
    uses_external_data,
)
from onnx_ir.passes.common import InlinePass, RemoveInitializersFromInputsPass

from mmdet2tflite.errors import ModelError
from mmdet2tflite.files.regular_file import read_regular
from mmdet2tflite.graph.edit import describe, integers, is_op, readers
from mmdet2tflite.graph.opset import upgrade
from mmdet2tflite.graph.soundness import LIMIT, check_functions, check_tensors, check_texts, tensors

QUANTISED_OPS = (
    "ConvInteger",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
)

EXPORT_STATIC = "export the model with one static input, batch 1, float32, NCHW"


def load_model(path: Path, input_size: tuple[int, int] | None = None) -> ir.Model:
    """Read an ONNX file of a convolution network with one image input.

    1. External data is read in, functions are inlined, initializers are no inputs.
    2. Opsets below 13 are brought up to 13 (``opset.upgrade``); 13 to 21 stay.
    3. The input becomes 1 x C x H x W: a symbolic batch is 1, symbolic H and W are ``input_size``.
       The shapes that the file declares for the symbolic size are forgotten.

    Args:
        path: an ONNX file of opset 7 to 21.
        input_size: (width, height) in pixels; needed only where the model's is symbolic.

    Raises:
        ModelError: no such file, no valid ONNX, quantised or custom operators, no convolution,
            no outputs, several inputs, or an input of another type, layout, batch or size.
    """
    proto = _read(path)
    _check(path, proto)
    try:
        model = ir.from_proto(proto)
    except ir.serde.SerdeError as error:
        raise _invalid(path, error) from error
    InlinePass()(model)
    RemoveInitializersFromInputsPass()(model)
    _check_operators(path, model)
    model = upgrade(model)
    _set_input_shape(path, model, input_size)
    return model


def save_model(model: ir.Model, path: Path) -> None:
    """Write an ONNX file with its weights inside, checked by ``onnx.checker``.

    Raises:
        ModelError: the model is not valid.
    """
    proto = ir.to_proto(model)
    _check(path, proto)
    onnx.save(proto, path)


def external_files(path: Path) -> list[Path]:
    """The files beside an ONNX file that hold weights of it. Raises ModelError."""
    stored = (tensor for tensor in tensors(_parse(path)) if uses_external_data(tensor))
    return sorted({path.parent / ExternalDataInfo(tensor).location for tensor in stored})


def _read(path: Path) -> onnx.ModelProto:
    proto = _parse(path)
    try:
        load_external_data_for_model(proto, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(
            f"the external data of {path} cannot be read: {error}",
            "the files with the weights beside the model",
            "copy them there, or export the model into one file",
        ) from error
    return proto


def _parse(path: Path) -> onnx.ModelProto:
    """Without the external data, which are where they should be."""
    content = read_regular(path, limit=LIMIT, error=ModelError)
    try:
        proto = onnx.load_from_string(content)
    except DecodeError as error:
        raise _not_onnx(path, content) from error
    # Protobuf takes an empty file, and now and then a random one, for an empty model.
    if not proto.ir_version or not proto.HasField("graph"):
        raise _not_onnx(path, content)
    check_tensors(path, proto)
    check_functions(path, proto)
    check_texts(path, proto)
    return proto


def _not_onnx(path: Path, content: bytes) -> ModelError:
    is_tflite = content[4:8] == b"TFL3"
    return ModelError(
        f"{path} is {'a TensorFlow Lite file' if is_tflite else 'no ONNX model'}",
        "an ONNX model (protobuf)",
        "give the ONNX file that it was made from" if is_tflite else "export the network to ONNX",
    )


def _check(path: Path, proto: onnx.ModelProto) -> None:
    try:
        onnx.checker.check_model(proto)
    except (ValueError, onnx.checker.ValidationError) as error:
        raise _invalid(path, error) from error


def _invalid(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{path} is no valid ONNX model: {error}",
        "a model that onnx.checker accepts",
        "export it again, with a newer exporter",
    )


def _check_operators(path: Path, model: ir.Model) -> None:
    if not model.graph.outputs:
        raise ModelError(f"{path} has no outputs", "a network that computes something")
    nodes = list(ir.traversal.RecursiveGraphIterator(model.graph))
    for node in nodes:
        if node.domain not in ("", "ai.onnx"):
            raise ModelError(
                f"{path} has an operator of the domain {node.domain}: {describe(node)}",
                "operators of the ONNX standard",
                "export the network without it (for mmdeploy: cut at the marks)",
            )
        if is_op(node, *QUANTISED_OPS):
            raise ModelError(
                f"{path} is quantised: {describe(node)}",
                "a float32 model",
                "give the model from before its quantisation; the TFLite file is quantised here",
            )
    if not any(is_op(node, "Conv", "ConvTranspose") for node in nodes):
        raise ModelError(
            f"{path} has no convolution",
            "a convolution network",
            "check that this is the model you mean; padding concerns convolutions only",
        )


def _set_input_shape(path: Path, model: ir.Model, input_size: tuple[int, int] | None) -> None:
    """Rule 3."""
    image = _image(path, model)
    assert image.shape is not None
    batch, channels, *sides = (side if _is_known(side) else None for side in image.shape)
    if batch not in (None, 1):
        raise ModelError(f"{path}: {image.name} has a batch of {batch}", "1", EXPORT_STATIC)
    if channels is None:
        raise ModelError(
            f"{path}: {image.name} has the shape {image.shape}",
            "a known number of channels",
            EXPORT_STATIC,
        )
    if input_size is None:
        if None in sides:
            raise ModelError(
                f"{path}: {image.name} has the dynamic shape {image.shape}",
                "a static height and width",
                "give --input-size W H",
            )
    else:
        width, height = input_size
        if min(input_size) < 1:
            raise ModelError(f"--input-size {width} {height}", "two positive numbers, in pixels")
        for found, wanted in zip(sides, (height, width), strict=True):
            if found not in (None, wanted):
                raise ModelError(
                    f"{path}: {image.name} has the static shape {image.shape}, "
                    f"--input-size is {width} {height}",
                    f"an input size of {sides[1] or 'any'} {sides[0] or 'any'} (width, height)",
                    "leave --input-size out, or export the model for the other size",
                )
        sides = [height, width]
    shape = ir.Shape([1, channels, *sides])
    if shape != image.shape:
        image.shape = shape
        for node in model.graph:
            for output in node.outputs:
                if output.shape is not None:
                    output.shape = ir.Shape([None] * len(output.shape))


def _image(path: Path, model: ir.Model) -> ir.Value:
    inputs = model.graph.inputs
    if len(inputs) != 1:
        names = ", ".join(str(value.name) for value in inputs) or "none"
        raise ModelError(
            f"{path} has {len(inputs)} inputs: {names}", "one input, the image", EXPORT_STATIC
        )
    (image,) = inputs
    if image.dtype != ir.DataType.FLOAT or image.shape is None or len(image.shape) != 4:
        raise ModelError(
            f"{path}: {image.name} is a {image.dtype} of the shape {image.shape or 'unknown'}",
            "a float32 image, batch x channels x height x width",
            EXPORT_STATIC,
        )
    for node in readers(image):
        if is_op(node, "Transpose") and integers(node, "perm", ()) == (0, 3, 1, 2):
            raise ModelError(
                f"{path}: {image.name} is channels last, {describe(node)} turns it",
                "channels first, batch x channels x height x width",
                "export it channels first (tf2onnx: --inputs-as-nchw)",
            )
    return image


def _is_known(side: int | ir.SymbolicDim) -> bool:
    """Some exporters write -1 or 0 for a dynamic side."""
    return isinstance(side, int) and side > 0
