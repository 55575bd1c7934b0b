"""ONNX → OpenVINO's intermediate representation → TFLite float32 by openvino2tensorflow."""

from pathlib import Path

from mmdet2tflite.convert.converters.converter import ToolRun
from mmdet2tflite.errors import ModelError
from mmdet2tflite.processes.toolchain import WITHOUT_TELEMETRY, run_python

TOOLS = ("openvino", "openvino2tensorflow", "tensorflow", "tf-keras")
SILENCE = {"TF_CPP_MIN_LOG_LEVEL": "2"}
OPTIONS = ("--output_no_quant_float32_tflite", "--non_verbose")
KERAS_2 = {"TF_USE_LEGACY_KERAS": "1"}
"""openvino2tensorflow was written for Keras 2."""


def convert(source: Path, run: ToolRun) -> Path:
    """Convert and return the float32 file, its outputs named as in the ONNX.

    Raises:
        ToolFailed: a tool ended with an error or ran into the time-out.
        ModelError: the graph has what the tools do not take, they left no file, or its outputs
            cannot be told apart.
    """
    run.work.mkdir(parents=True)
    xml, named = run.work / "model.xml", run.work / "named.tflite"
    run_python(
        "openvino",
        "mmdet2tflite.convert.converters.ir_worker",
        [source, xml],
        log=_log_beside(run, "ovc"),
        timeout=run.timeout,
        environment=WITHOUT_TELEMETRY,
    )
    run_python(
        "openvino2tensorflow",
        "mmdet2tflite.convert.converters.openvino2tensorflow_script",
        ["--model_path", xml, "--model_output_path", run.work, *OPTIONS],
        log=run.log,
        timeout=run.timeout,
        # TensorFlow leaves what it compiled in the temporary folder.
        environment={**KERAS_2, **SILENCE, "TMPDIR": str(run.work)},
    )
    converted = run.work / "model_float32.tflite"
    if not converted.exists():
        raise ModelError(
            f"openvino2tensorflow left no {converted.name}", "a float32 file", f"read {run.log}"
        )
    run_python(
        "ai-edge-litert",
        "mmdet2tflite.convert.identify_worker",
        [source, converted, named],
        log=_log_beside(run, "identify"),
        timeout=run.timeout,
    )
    return named


def _log_beside(run: ToolRun, step: str) -> Path:
    return run.log.with_name(f"{run.log.stem}_{step}.log")
