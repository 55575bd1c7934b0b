"""LiteRT's interpreter: a file opened, run on samples, its integers read as reals."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError
from mmdet2tflite.runtime.decode import Floats


def run_tflite(
    path: Path, inputs: Mapping[str, NDArray[Any]], threads: int, honour_flags: bool = False
) -> dict[str, NDArray[Any]]:
    """Run any TFLite file on a number of samples. What is quantised is given and returned as reals.

    Args:
        inputs: samples x shape of each input, by name, as the file has it. Of one input, whatever
            its name.

    Returns:
        Samples x shape of each output, by name.

    Raises:
        ModelError: the file does not load or run, or has other inputs.
    """
    interpreter = open_interpreter(path, threads, True, honour_flags)
    details = {detail["name"]: detail for detail in interpreter.get_input_details()}
    if len(details) == len(inputs) == 1:
        details = dict(zip(inputs, details.values(), strict=True))
    if set(details) != set(inputs):
        raise ModelError(
            f"{path} has the inputs {', '.join(details)}", f"those of the ONNX: {', '.join(inputs)}"
        )
    found: dict[str, list[NDArray[Any]]] = {}
    for feed in zip(*inputs.values(), strict=True):
        for name, value in zip(inputs, feed, strict=True):
            try:
                given = (
                    quantise(value, details[name]) if details[name]["quantization"][0] else value
                )
                interpreter.set_tensor(details[name]["index"], given)
            except ValueError as error:
                raise ModelError(
                    f"{path} takes no {name} of {value.dtype} {list(value.shape)}: {error}",
                    "the inputs of the ONNX",
                ) from error
        invoke(interpreter.invoke, path)
        for detail in interpreter.get_output_details():
            output = dequantise(interpreter.get_tensor(detail["index"]), detail)
            found.setdefault(detail["name"], []).append(output)
    return {name: np.stack(values) for name, values in found.items()}


def open_interpreter(path: Path, threads: int, xnnpack: bool, honour_flags: bool) -> Any:
    """LiteRT's interpreter of a file, its tensors allocated. Raises ModelError."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from mmdet2tflite.tflite.padding_flag import open_flagged

    resolver = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = (open_flagged if honour_flags else Interpreter)(
            str(path), num_threads=threads, experimental_op_resolver_type=resolver
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise does_not_load(path, "LiteRT", error) from error
    return interpreter


def invoke(network: Callable[[], object], path: Path) -> None:
    """Run an interpreter, or another function, of a file. Raises ModelError."""
    try:
        network()
    except RuntimeError as error:
        raise ModelError(
            f"{path} does not run in LiteRT: {error}",
            "a complete file",
            "copy or convert it again",
        ) from error


def quantise(value: Floats, detail: Mapping[str, Any]) -> NDArray[Any]:
    """Reals as a tensor stores them: ``round(real / scale) + zero_point``, saturated.

    The values of a tensor that is not quantised stay as they are. ``detail`` is LiteRT's
    description of the tensor.
    """
    dtype = np.dtype(detail["dtype"])
    scale, zero_point = detail["quantization"]
    if not scale:
        return value.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(value / scale) + zero_point, limits.min, limits.max).astype(dtype)


def dequantise(value: NDArray[Any], detail: Mapping[str, Any]) -> Floats:
    """The reals that a tensor's stored values stand for: ``scale * (stored - zero_point)``.

    Numbers of a tensor that is not quantised stay as they are; LiteRT gives those a scale of 0.
    """
    scale, zero_point = detail["quantization"]
    if not scale:
        return value.astype(np.float32, copy=False) if value.dtype.kind == "f" else value
    return (value.astype(np.float32) - zero_point) * np.float32(scale)


def does_not_load(path: Path, backend: str, error: Exception) -> ModelError:
    """The error of a file that a backend does not take."""
    return ModelError(f"{path} does not load in {backend}: {error}", "a file that it can run")
