"""Child process: one TFLite file against the ONNX network; prints a JSON object in its last line.

Arguments: the ONNX file and the TFLite file.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

from benchmarks.zoo.comparison import (
    RIGHT,
    Array,
    Feed,
    Tensor,
    allowed_errors,
    compare,
    image_noise,
    noise,
)
from mmdet2tflite.tflite.census import PADS, TRANSPOSES, tflite_ops

SEED = 11
TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}
RIGHT_POOLINGS = 19
OPEN_SIDE = {0: 1}
"""A batch that is left open is 1, any other side 64."""


def main() -> None:
    """Compare, count and print."""
    network, tflite = (Path(argument) for argument in sys.argv[1:])
    result = {**count(tflite), **compare_files(network, tflite)}
    print("\n" + json.dumps(result))


def count(tflite: Path) -> dict[str, int]:
    """Operators of the file."""
    ops = tflite_ops(tflite)
    return {
        "pads": sum(ops[name] for name in PADS),
        "transposes": sum(ops[name] for name in TRANSPOSES),
        "operators": sum(ops.values()),
    }


def compare_files(network: Path, tflite: Path) -> dict[str, object]:
    """The worst error over two inputs, the output that has it, and what is allowed of it.

    Raises:
        ValueError: the network itself computes something that is no number, or the inputs differ.
        RuntimeError: LiteRT does not run the file.
    """
    options = onnxruntime.SessionOptions()
    # ORT_ENABLE_ALL is itself wrong for some average poolings.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(reference(network), options, ["CPUExecutionProvider"])
    inputs = [
        Tensor(each.name, _sides(each.shape), TYPES[each.type]) for each in session.get_inputs()
    ]
    names = [each.name for each in session.get_outputs()]
    interpreter = Interpreter(str(tflite), num_threads=1)
    interpreter.allocate_tensors()
    given = [
        Tensor(each["name"], tuple(int(side) for side in each["shape"]), each["dtype"].__name__)
        for each in interpreter.get_input_details()
    ]

    def run(feed: Feed) -> Mapping[str, Array]:
        for each in interpreter.get_input_details():
            interpreter.set_tensor(each["index"], feed[each["name"]])
        interpreter.invoke()
        details = interpreter.get_output_details()
        return {each["name"]: interpreter.get_tensor(each["index"]).copy() for each in details}

    def run_network(feed: Feed) -> dict[str, Array]:
        computed = session.run(names, feed)
        return {name: np.asarray(v) for name, v in zip(names, computed, strict=True)}

    found: list[tuple[float, str, float]] = []
    for feed in (noise(inputs, SEED), image_noise(inputs, SEED)):
        wanted = run_network(feed)
        for name, values in wanted.items():
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise ValueError(f"ONNX Runtime's {name} is not finite")
        errors = compare(wanted, feed, given, run)
        allowed = dict.fromkeys(errors, RIGHT)
        if max(errors.values()) > RIGHT:
            allowed = allowed_errors(wanted, feed, run_network)
        found += [(error, name, allowed[name]) for name, error in errors.items()]
    error, output, most = max(found, key=lambda each: each[0] / each[2])
    return {"error": error, "output": output, "allowed": most}


def reference(file: Path) -> str | bytes:
    """The network; one with an average pooling that ONNX Runtime gets wrong in a newer opset.

    Before opset 19 it divides a window that ``ceil_mode`` lets hang over the end by the whole
    kernel where padding counts; PyTorch and ONNX's reference divide by what is there.
    """
    model = onnx.load(file)
    opset = next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    hanging = [
        node
        for node in model.graph.node
        if node.op_type == "AveragePool"
        and {"ceil_mode", "count_include_pad"} <= {each.name for each in node.attribute if each.i}
    ]
    if not hanging or opset >= RIGHT_POOLINGS:
        return str(file)
    newer: bytes = onnx.version_converter.convert_version(model, RIGHT_POOLINGS).SerializeToString()
    return newer


def _sides(shape: list[int | str | None]) -> tuple[int, ...]:
    return tuple(
        side if isinstance(side, int) else OPEN_SIDE.get(axis, 64)
        for axis, side in enumerate(shape)
    )


if __name__ == "__main__":
    main()
