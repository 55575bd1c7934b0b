"""The table of stock files: what each tool makes of the exported ONNX, as its own manual says.

Nothing of this project has a hand in them: no canonical form, no padding strategy, no quantiser of
ours. A tool gets what a user of it would give it, and the environment that it needs to start.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx

from mmdet2tflite.convert.converters.openvino import KERAS_2, SILENCE
from mmdet2tflite.passport import Preprocessing
from mmdet2tflite.processes.toolchain import WITHOUT_TELEMETRY, run_python
from mmdet2tflite.runtime.images import input_tensor

RecipeName = Literal[
    "onnx2tf_float32",
    "onnx2tf_float16",
    "onnx2tf_dynamic",
    "onnx2tf_int8",
    "onnx2tf_tensorflow_int8",
    "openvino2tensorflow_float32",
    "onnxruntime_int8",
    "openvino_int8",
]


@dataclass(frozen=True)
class Making:
    """What a recipe is given.

    Args:
        onnx: ``model.onnx``.
        preprocessing: makes its input of an image.
        calibration: training images; none for a recipe that takes none.
        work: an empty folder.
        log: file for everything the tools print.
        timeout: seconds for each tool.
        python: the interpreter of the recipe's own environment, if it has one.
    """

    onnx: Path
    preprocessing: Preprocessing
    calibration: tuple[Path, ...]
    work: Path
    log: Path
    timeout: float
    python: Path | None = None


@dataclass(frozen=True)
class Recipe:
    """How one stock file is made.

    Args:
        command: what a user would type.
        make: makes the file and returns its path. Raises ToolFailed.
        precision: of the file.
        tools: distributions whose versions decide about it, the one that makes it first.
        calibrated: it takes training images.
        environment: of the tool, in ``environments/``, if it has one of its own.
    """

    command: str
    make: Callable[[Making], Path]
    precision: str
    tools: tuple[str, ...]
    calibrated: bool = False
    environment: str = ""


def _onnx2tf(kind: str, *options: str) -> Callable[[Making], Path]:
    def make(making: Making) -> Path:
        arguments = ["-i", str(making.onnx), "-o", str(making.work), *options]
        if making.calibration:
            # The manual's samples are pixels from 0 to 1, of which mean and std make the network's
            # input. These are that input already.
            name = onnx.load(making.onnx).graph.input[0].name
            samples = str(save_samples(making))
            arguments += ["-cind", name, samples, "[[[[0,0,0]]]]", "[[[[1,1,1]]]]"]
        # It calls the command `onnxsim`, which an activated environment has on its path.
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        _run(making, "onnx2tf", "onnx2tf", arguments, {"PATH": path, "TQDM_DISABLE": "1"})
        return making.work / f"{making.onnx.stem}_{kind}.tflite"

    return make


def _openvino2tensorflow(making: Making) -> Path:
    xml = making.work / "model.xml"
    arguments = [str(making.onnx), "--output_model", str(xml), "--compress_to_fp16", "False"]
    _run(making, "openvino", "openvino.tools.ovc", arguments, WITHOUT_TELEMETRY)
    script = "mmdet2tflite.convert.converters.openvino2tensorflow_script"
    arguments = ["--model_path", str(xml), "--model_output_path", str(making.work)]
    arguments.append("--output_no_quant_float32_tflite")
    _run(making, "openvino2tensorflow", script, arguments, {**KERAS_2, **SILENCE})
    return making.work / "model_float32.tflite"


def _onnxruntime_int8(making: Making) -> Path:
    target = making.work / "int8.onnx"
    worker = "benchmarks.conversion.quantise_onnx_worker"
    _run(making, "onnxruntime", worker, [str(making.onnx), str(save_samples(making)), str(target)])
    return target


def _openvino_int8(making: Making) -> Path:
    target = making.work / "int8.xml"
    worker = "benchmarks.conversion.quantise_openvino_worker"
    arguments = [str(making.onnx), str(save_samples(making)), str(target)]
    _run(making, "nncf", worker, arguments, WITHOUT_TELEMETRY)
    return target


def _run(
    making: Making,
    tool: str,
    module: str,
    arguments: list[str],
    environment: Mapping[str, str] | None = None,
) -> None:
    run_python(
        tool,
        module,
        arguments,
        log=making.log,
        timeout=making.timeout,
        environment=environment,
        python=making.python,
    )


def save_samples(making: Making) -> Path:
    """The letterboxed calibration images, N x H x W x 3, float32. Raises DataError."""
    tensors = [input_tensor(image, making.preprocessing)[0] for image in making.calibration]
    path = making.work / "calibration.npy"
    np.save(path, np.concatenate(tensors).transpose(0, 2, 3, 1))
    return path


ONNX2TF = ("onnx2tf", "onnxsim", "ai-edge-litert")
COMMAND = "onnx2tf -i model.onnx -o out"
CALIBRATION = "-cind input calibration.npy 0 1"

RECIPES: Mapping[RecipeName, Recipe] = {
    "onnx2tf_float32": Recipe(COMMAND, _onnx2tf("float32"), "float32", ONNX2TF),
    "onnx2tf_float16": Recipe(COMMAND, _onnx2tf("float16"), "float16", ONNX2TF),
    "onnx2tf_dynamic": Recipe(
        f"{COMMAND} -odrqt", _onnx2tf("dynamic_range_quant", "-odrqt"), "dynamic range", ONNX2TF
    ),
    "onnx2tf_int8": Recipe(
        f"{COMMAND} -oiqt {CALIBRATION}",
        _onnx2tf("integer_quant", "-oiqt"),
        "int8",
        ONNX2TF,
        calibrated=True,
    ),
    "onnx2tf_tensorflow_int8": Recipe(
        f"{COMMAND} -tb tf_converter -oiqt {CALIBRATION}",
        _onnx2tf("integer_quant", "-tb", "tf_converter", "-oiqt"),
        "int8",
        (*ONNX2TF, "tensorflow", "tf-keras"),
        calibrated=True,
    ),
    "openvino2tensorflow_float32": Recipe(
        "ovc model.onnx --compress_to_fp16 False && TF_USE_LEGACY_KERAS=1 openvino2tensorflow "
        "--model_path model.xml --output_no_quant_float32_tflite",
        _openvino2tensorflow,
        "float32",
        ("openvino2tensorflow", "openvino", "tensorflow", "tf-keras"),
    ),
    "onnxruntime_int8": Recipe(
        "onnxruntime.quantization: quant_pre_process, then quantize_static with its defaults "
        "(QDQ, int8, MinMax)",
        _onnxruntime_int8,
        "int8",
        ("onnxruntime", "onnx"),
        calibrated=True,
    ),
    "openvino_int8": Recipe(
        "nncf.quantize(openvino.Core().read_model('model.onnx'), calibration) with its defaults",
        _openvino_int8,
        "int8",
        ("openvino",),
        calibrated=True,
        environment="openvino_int8",
    ),
}
