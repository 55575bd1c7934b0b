"""Child process: checkpoint → ONNX by mmdeploy, cut at the marks, folded, outputs named.

Argument: a JSON file with ``export``, ``head``, ``preprocessing``, ``weights``, ``config``,
``images`` (files), ``work``, ``result``.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdet2tflite.detector import compat

compat.prepare_export()  # before anything imports mmdet

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnx_ir  # noqa: E402
import onnxsim  # noqa: E402
from mmdeploy.apis import extract_model, torch2onnx  # noqa: E402
from mmdeploy.apis.core.pipeline_manager import no_mp  # noqa: E402
from mmengine.config import Config  # noqa: E402

from mmdet2tflite.artifacts import Head, Preprocessing  # noqa: E402
from mmdet2tflite.config.experiment import Export  # noqa: E402
from mmdet2tflite.detector import augment, layers  # noqa: E402, F401  (the config names their classes)
from mmdet2tflite.detector.mark_runner import MarkRunner  # noqa: E402
from mmdet2tflite.detector.torch_runner import TorchRunner  # noqa: E402
from mmdet2tflite.errors import ConfigError, ModelError  # noqa: E402
from mmdet2tflite.graph.verify import open_reference  # noqa: E402
from mmdet2tflite.parity.check import Infers, check_parity, run_on_images  # noqa: E402
from mmdet2tflite.runtime.decode import FAMILIES  # noqa: E402

UNCUT, CUT, MODEL = "end2end.onnx", "cut.onnx", "model.onnx"


def main() -> None:
    """Export, then write ``model.onnx`` and the result; intermediate files go."""
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    work = Path(spec["work"])
    export = Export.model_validate(spec["export"])
    head = Head.model_validate(spec["head"])
    preprocessing = Preprocessing.model_validate(spec["preprocessing"])
    deploy = read_deploy_config(export, preprocessing)
    trace(spec, deploy, work)
    cut(deploy, work)
    model = onnx_ir.from_proto(fold(onnx.load(work / CUT)))
    meanings = dict(deploy.output_meaning)
    family = family_of(head, meanings)
    names = name_outputs(model, meanings, head.strides if family else ())
    check_input(model, preprocessing)
    proto = onnx_ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, work / MODEL)
    weights, config = Path(spec["weights"]), Path(spec["config"])
    pytorch = (
        TorchRunner(weights, config, head, threads=2)
        if family
        else MarkRunner(weights, config, deploy, names)
    )
    metrics = compare_with_pytorch(
        pytorch, spec["images"], preprocessing, work / MODEL, export.tolerance
    )
    outputs = [{"name": o.name, "shape": _static(o)} for o in model.graph.outputs]
    result = {"outputs": outputs, "metrics": metrics, "family": family}
    Path(spec["result"]).write_text(json.dumps(result), encoding="utf-8")
    for name in (UNCUT, CUT):
        (work / name).unlink()


def read_deploy_config(export: Export, preprocessing: Preprocessing) -> Config:
    """The mmdeploy config with the experiment's size and opset. Raises ConfigError."""
    try:
        deploy = Config.fromfile(str(export.deploy_config))
    except Exception as error:  # a config is a program: it can raise anything
        raise ConfigError(
            f"{export.deploy_config} is no readable mmdeploy config: {error}",
            "a Python file with onnx_config, partition_config and output_meaning",
            "check export.deploy_config",
        ) from error
    for key in ("onnx_config", "partition_config", "output_meaning"):
        if key not in deploy:
            raise ConfigError(
                f"{export.deploy_config} has no `{key}`",
                "onnx_config, partition_config and output_meaning, as in configs/deploy/yolox.py",
            )
    deploy.onnx_config.input_shape = [preprocessing.width, preprocessing.height]
    deploy.onnx_config.opset_version = export.opset
    return deploy


def trace(spec: dict[str, Any], deploy: Config, work: Path) -> None:
    """The whole network with its marks, as mmdeploy writes it."""
    torch2onnx(
        spec["images"][0],
        str(work),
        UNCUT,
        deploy,
        spec["config"],
        spec["weights"],
        device="cpu",
    )


def cut(deploy: Config, work: Path) -> None:
    """Keep what lies between the marks."""
    (partition,) = deploy.partition_config.partition_cfg
    with no_mp():
        extract_model(str(work / UNCUT), partition.start, partition.end, save_file=str(work / CUT))


def fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Constants folded, batch norms folded, shapes inferred; checked on random inputs."""
    folded, same = onnxsim.simplify(model, check_n=2)
    if not same:
        raise ModelError("onnxsim changed what the network computes", "the same numbers")
    return folded


def family_of(head: Head, meanings: Mapping[str, str]) -> str | None:
    """The family whose decoder reads these outputs; None if the network is cut elsewhere."""
    if head.family is None or set(meanings.values()) != set(FAMILIES[head.family].maps):
        return None
    return head.family


def name_outputs(
    model: onnx_ir.Model, meanings: Mapping[str, str], strides: Sequence[int]
) -> dict[str, str]:
    """Rename and order the outputs by meaning and stride: ``cls_8, cls_16, …, box_8, …``.

    mmdeploy numbers a list's members in their order, which is that of the strides.

    Args:
        meanings: mmdeploy's name of a list of maps → meaning.
        strides: none: the outputs are numbered (``cls_0``), and one that is no list is not.

    Returns:
        mmdeploy's names → ours.

    Raises:
        ModelError: an entry names no output, or an output has no entry.
    """
    outputs = {str(output.name): output for output in model.graph.outputs}
    names: dict[str, str] = {}
    for source, meaning in meanings.items():
        if strides:
            names |= {f"{source}.{i}": f"{meaning}_{stride}" for i, stride in enumerate(strides)}
        elif source in outputs:
            names[source] = meaning
        else:
            count = sum(name.startswith(f"{source}.") for name in outputs)
            names |= {f"{source}.{i}": f"{meaning}_{i}" for i in range(max(1, count))}
    if set(names) != set(outputs):
        expected = (
            f"one map per stride {list(strides)} for each entry" if strides else "all of them"
        )
        raise ModelError(
            f"the cut network has the outputs {', '.join(sorted(outputs))}",
            f"{expected} of output_meaning: {', '.join(names)}",
            "check partition_config and output_meaning in export.deploy_config",
        )
    for source, name in names.items():
        outputs[source].name = name
    model.graph.outputs[:] = [outputs[source] for source in names]
    return names


def check_input(model: onnx_ir.Model, preprocessing: Preprocessing) -> None:
    """The one input must have the size that was asked for. Raises ModelError."""
    (found,) = [_static(value) for value in model.graph.inputs]
    expected = (1, 3, preprocessing.height, preprocessing.width)
    if found != expected:
        raise ModelError(
            f"mmdeploy exported an input of {found}",
            f"{expected} (batch, channels, height, width)",
            "a test_pipeline that pads to a square does this: use this project's train stage",
        )


def compare_with_pytorch(
    pytorch: Infers,
    files: Sequence[str],
    preprocessing: Preprocessing,
    onnx_file: Path,
    tolerance: float,
) -> dict[str, float]:
    """ONNX Runtime against PyTorch on real images. Raises ParityError."""
    images = [Path(file) for file in files]
    return check_parity(
        run_on_images(pytorch, images, preprocessing),
        run_on_images(open_reference(onnx_file, threads=2), images, preprocessing),
        tolerance,
        "the exported ONNX against PyTorch",
    )


def _static(value: onnx_ir.Value) -> tuple[int, ...]:
    shape = value.shape
    if shape is None or not all(isinstance(side, int) for side in shape):
        raise ModelError(f"{value.name} has the shape {shape}", "a static shape")
    return tuple(int(side) for side in np.array(shape.numpy()))


if __name__ == "__main__":
    main()
