"""ONNX → TFLite float32 by onnx2tf: its own writer (the default), or by TensorFlow."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from mmdet2tflite.convert.converters.converter import ToolRun
from mmdet2tflite.errors import ModelError
from mmdet2tflite.processes.toolchain import WarmPython, run_python

TOOLS = ("onnx2tf", "onnx", "onnxsim")
ENVIRONMENT = {"TQDM_DISABLE": "1"}
NO_MORE: Mapping[str, str] = MappingProxyType({})


def warm() -> WarmPython:
    """Start the child that ``convert`` will use: half of onnx2tf's time goes into its imports."""
    return WarmPython("onnx2tf.onnx2tf", ENVIRONMENT)


def convert(source: Path, run: ToolRun) -> Path:
    """Convert and return the float32 file; onnx2tf's other files are not to be trusted.

    Raises:
        ToolFailed: onnx2tf ended with an error or ran into the time-out.
        ModelError: it ended well and left no file.
    """
    return _run(source, run, [])


def convert_by_tensorflow(source: Path, run: ToolRun) -> Path:
    """As ``convert``, through a TensorFlow graph and TensorFlow's own converter: much slower.

    Raises: as ``convert``.
    """
    run.work.mkdir(parents=True, exist_ok=True)
    # TensorFlow leaves what it compiled in the temporary folder.
    return _run(source, run, ["-tb", "tf_converter"], {"TMPDIR": str(run.work)})


def _run(
    source: Path, run: ToolRun, options: Sequence[str], environment: Mapping[str, str] = NO_MORE
) -> Path:
    kept = ["-kat", *run.kept] if run.kept else []
    run_python(
        "onnx2tf",
        "onnx2tf",
        # -nuo: the graph is canonical already, and optimisers undo padding strategies
        [
            *("-i", own_copy(source, run.work), "-o", run.work, "-coion", "-n", "-nuo"),
            *kept,
            *options,
        ],
        log=run.log,
        timeout=run.timeout,
        environment={**ENVIRONMENT, **environment},
        warm=run.warm,
    )
    result = run.work / f"{source.stem}_float32.tflite"
    if not result.exists():
        raise ModelError(f"onnx2tf left no {result.name}", "a float32 file", f"read {run.log}")
    return result


def own_copy(source: Path, folder: Path) -> Path:
    """A copy of the graph for onnx2tf, which writes inferred shapes back into the file it reads."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(source, folder))
