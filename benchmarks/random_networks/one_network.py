"""One random network through the whole of ``convert``, and the file held against the ONNX here."""

import json
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.random_networks.forked_tools import forked_tools
from benchmarks.random_networks.verdict import Outcome, Verdict
from mmdet2tflite.errors import UserError
from mmdet2tflite.standalone.convert_file import convert_file
from mmdet2tflite.standalone.request import Request
from tests.graph.network_draws import Draw, draw
from tests.graph.right_poolings import with_right_poolings

type Arrays = dict[str, NDArray[Any]]

EXACT, ROUNDED = 1e-6, 1e-3
"""Largest error of an output, relative to its largest number. Some outputs are differences of
large numbers: what float32 does to them is no matter of their range, so this is coarse, and the
command's own check is finer."""
OF_ONE = ("Sigmoid", "Softmax")
"""Operators that compute parts of 1: what is near 0 may be off by some last places of 1."""
LAST_PLACES_OF_ONE = 4 * 2.0**-24
TOOL_SECONDS = 60.0


def convert_one(seed: int, folder: Path) -> Verdict:
    """Draw, convert with no option but the converter, and compare on other inputs."""
    started = time.monotonic()
    with forked_tools():
        try:
            drawn = draw(seed)
        except Exception as error:  # ONNX Runtime does not run it
            return Verdict(seed, "invalid", str(error), "", round(time.monotonic() - started, 2))
        outcome, reason = _judge(drawn, folder)
    return Verdict(seed, outcome, reason, drawn.what, round(time.monotonic() - started, 2))


def _judge(drawn: Draw, folder: Path) -> tuple[Outcome, str]:
    model = folder / "network.onnx"
    onnx.save(drawn.model, model)
    try:
        wanted = run_onnx(with_right_poolings(drawn.model), drawn.feeds)
    except Exception as error:  # onnxruntime's errors have no common base class of their own
        return "invalid", str(error)
    try:
        convert_file(_request(model, folder / "out"))
    except UserError as error:
        return "refused", str(error)
    except Exception:  # this is what is looked for
        return "traceback", traceback.format_exc()
    outcome: Outcome = "mismatch"
    for channels_last in (False, True):  # where the sides do not tell, either may be meant
        try:
            found = run_tflite(folder / "out", drawn.feeds, channels_last)
        except (RuntimeError, ValueError, KeyError) as error:
            return "mismatch", f"the file does not run: {error}"
        outcome, reason = _compare(wanted, found, drawn)
        if outcome == "right":
            break
    return outcome, reason


def _request(model: Path, out: Path) -> Request:
    return Request(
        model=model,
        out=out,
        padding="auto",
        converter="onnx2tf",
        input_size=None,
        calibration=None,
        normalisation=None,
        tolerance=1e-4,
        timeout=TOOL_SECONDS,
    )


def run_onnx(model: onnx.ModelProto, feeds: Arrays) -> Arrays:
    """What ONNX Runtime computes without any optimisation."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def run_tflite(out: Path, feeds: Arrays, channels_last: bool) -> Arrays:
    """What LiteRT computes of the file in ``out``, turned as its passport says.

    Args:
        channels_last: the ONNX's own inputs of rank 4 and 5 are, so they stay as they are.
    """
    passport = json.loads((out / "passport.json").read_text())
    interpreter = Interpreter(str(out / "network.tflite"), num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        value = feeds[detail["name"]]
        turned = np.moveaxis(value, 1, -1) if value.ndim in (4, 5) else value
        takes = tuple(int(side) for side in detail["shape"])
        forms = [value, turned] if channels_last else [turned, value]
        value = next((form for form in forms if form.shape == takes), value)
        interpreter.set_tensor(detail["index"], np.array(value, order="C"))
    interpreter.invoke()
    details = {detail["name"]: detail["index"] for detail in interpreter.get_output_details()}
    found = {}
    for output in passport["outputs"]:
        value = interpreter.get_tensor(details[output["name"]])
        found[output["name"]] = np.moveaxis(value, -1, 1) if output["layout"] == "nhwc" else value
    return found


def _compare(wanted: Arrays, found: Arrays, drawn: Draw) -> tuple[Outcome, str]:
    exact = drawn.exact
    nodes = [node for node in drawn.model.graph.node if node.op_type in OF_ONE]
    of_one = {output for node in nodes for output in node.output}
    if list(found) != list(wanted):
        return "mismatch", f"outputs {list(found)} for {list(wanted)}"
    for name, value in wanted.items():
        other = found[name]
        if other.shape != value.shape or other.dtype != value.dtype:
            return "mismatch", (
                f"{name} is {other.dtype} {other.shape} for {value.dtype} {value.shape}"
            )
        if not value.size:
            continue
        if value.dtype.kind != "f":
            wrong = float((value != other).mean())
            if wrong > (0 if exact[name] else 0.01):
                return "mismatch", f"{name}: {wrong:.2%} of the integers differ"
            continue
        difference = float(np.abs(other - value).max())
        if name in of_one and difference <= LAST_PLACES_OF_ONE:
            continue
        error = difference / max(float(np.abs(value).max()), 1e-6)
        if not error <= (EXACT if exact[name] else ROUNDED):
            return "mismatch", f"{name} by {error:.2g} of its largest number"
    return "right", ""
