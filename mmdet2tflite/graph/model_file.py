"""An ONNX file, checked and brought into the one shape that the graph core works on."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

import onnx
import onnx.checker
import onnx_ir as ir
from google.protobuf.message import DecodeError
from onnx.external_data_helper import (
    ExternalDataInfo,
    load_external_data_for_model,
    uses_external_data,
)
from onnx_ir.passes.common import (
    InlinePass,
    RemoveInitializersFromInputsPass,
    RemoveUnusedNodesPass,
)

from mmdet2tflite.errors import ModelError
from mmdet2tflite.files.regular_file import read_regular
from mmdet2tflite.graph.edit import cut_before, describe, is_op
from mmdet2tflite.graph.inputs import set_input_shapes
from mmdet2tflite.graph.opset import IR_OF_CONSTANTS, upgrade
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


def load_model(
    path: Path,
    input_size: tuple[int, int] | None = None,
    batch: int | None = None,
    input_shapes: Mapping[str, Sequence[int]] = MappingProxyType({}),
    cut: Sequence[str] = (),
) -> ir.Model:
    """Read an ONNX file of any network.

    1. External data is read in, functions are inlined, initializers are no inputs.
    2. Opsets below 13 are brought up to 13 (``opset.upgrade``); 13 to 23 stay.
    3. Every input gets a static shape (``inputs.set_input_shapes``).

    Args:
        path: an ONNX file of opset 7 to 23.
        input_size: (width, height) in pixels of images; needed only where the model's is symbolic.
        batch: of every input; by default the model's own, or 1 where that is symbolic.
        input_shapes: whole shapes by the input's name, for what the other two do not say.
        cut: names of values that are the outputs, in place of the model's own.

    Raises:
        ModelError: no such file, no valid ONNX, quantised or custom operators, no outputs, or an
            input of another type or size.
    """
    proto = _read(path)
    _check(path, proto)
    try:
        model = ir.from_proto(proto)
    except ir.serde.SerdeError as error:
        raise _invalid(path, error) from error
    InlinePass()(model)
    RemoveInitializersFromInputsPass()(model)
    if cut:
        _cut(path, model, cut)
    _check_operators(path, model)
    model = upgrade(model)
    set_input_shapes(path, model, input_size, batch, input_shapes)
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
    _lift_inputs(proto)
    # Protobuf takes an empty file, and now and then a random one, for an empty model.
    if not proto.ir_version or not proto.HasField("graph"):
        raise _not_onnx(path, content)
    check_tensors(path, proto)
    check_functions(path, proto)
    check_texts(path, proto)
    return proto


def _lift_inputs(proto: onnx.ModelProto) -> None:
    """Before IR version 4 every initializer had to be an input, too: a default, which none is here.

    Source: ONNX's IR specification, "Graphs".
    """
    if 0 < proto.ir_version < IR_OF_CONSTANTS:
        constants = {tensor.name for tensor in proto.graph.initializer}
        inputs = [value for value in proto.graph.input if value.name not in constants]
        del proto.graph.input[:]
        proto.graph.input.extend(inputs)
        proto.ir_version = IR_OF_CONSTANTS


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


def _cut(path: Path, model: ir.Model, names: Sequence[str]) -> None:
    values = {str(value.name): value for node in model.graph for value in node.outputs}
    for name in names:
        if name not in values:
            alike = get_close_matches(name, values, n=3) or list(values)[-3:]
            raise ModelError(
                f"--cut {name}",
                f"a value that {path} computes, such as {', '.join(alike)}",
                "check the name: inputs and weights are no place to cut",
            )
    model.graph.outputs[:] = [values[name] for name in dict.fromkeys(names)]
    RemoveUnusedNodesPass()(model)


def _check_operators(path: Path, model: ir.Model) -> None:
    for kind, values in (("inputs", model.graph.inputs), ("outputs", model.graph.outputs)):
        if not values:
            raise ModelError(
                f"{path} has no {kind}",
                "a network that computes something of an input",
                f"export it with its {kind}",
            )
    names = [str(value.name) for value in model.graph.outputs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ModelError(
            f"{path} has the output {twice[0]} twice",
            "outputs of different names",
            "export it again, or remove one of them",
        )
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        if node.domain not in ("", "ai.onnx"):
            raise ModelError(
                f"{path} has an operator of the domain {node.domain}: {describe(node)}",
                "operators of the ONNX standard",
                f"{cut_before(node)} (for mmdeploy: cut at the marks)",
            )
        if is_op(node, *QUANTISED_OPS):
            raise ModelError(
                f"{path} is quantised: {describe(node)}",
                "a float32 model",
                "give the model from before its quantisation; the TFLite file is quantised here",
            )
