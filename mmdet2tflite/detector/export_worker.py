"""Child process: checkpoint → ONNX by mmdeploy, cut at the marks, folded, outputs named."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mmdet2tflite.detector import compat

compat.prepare_export()  # before anything imports mmdet

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnx_ir  # noqa: E402
import onnxsim  # noqa: E402
from mmdeploy.apis import extract_model, torch2onnx  # noqa: E402
from mmdeploy.apis.core.pipeline_manager import no_mp  # noqa: E402
from mmdeploy.core.optimizers import reset_mark_function_count  # noqa: E402
from mmengine.config import Config  # noqa: E402

from mmdet2tflite.artifacts import OnnxModel  # noqa: E402
from mmdet2tflite.detector import augment, layers  # noqa: E402, F401  (the config names their classes)
from mmdet2tflite.detector.export_request import BASE, ExportRequest  # noqa: E402
from mmdet2tflite.detector.head_cut import (  # noqa: E402
    cut_behind_head,
    ends_behind_head,
    stop_behind_head,
)
from mmdet2tflite.detector.mark_runner import MarkRunner  # noqa: E402
from mmdet2tflite.detector.scope import enter_scope  # noqa: E402
from mmdet2tflite.detector.torch_runner import TorchRunner  # noqa: E402
from mmdet2tflite.errors import ConfigError, ModelError  # noqa: E402
from mmdet2tflite.graph.verify import open_reference  # noqa: E402
from mmdet2tflite.parity.check import Infers, check_parity, run_on_images  # noqa: E402
from mmdet2tflite.passport import Head, Preprocessing, Tensor  # noqa: E402
from mmdet2tflite.processes.messages import answer  # noqa: E402
from mmdet2tflite.runtime.decode import FAMILIES  # noqa: E402

UNCUT, CUT = "end2end.onnx", "cut.onnx"
MODEL = OnnxModel.model_fields["file"].default


def export(request: ExportRequest) -> OnnxModel:
    """Write the ONNX file; intermediate files go."""
    work, head, preprocessing = request.work, request.head, request.preprocessing
    deploy = read_deploy_config(request, preprocessing)
    trace(request, deploy)
    cut(deploy, work)
    model = onnx_ir.from_proto(fold(onnx.load(work / CUT)))
    meanings = dict(deploy.output_meaning)
    family = family_of(head, meanings)
    names = name_outputs(model, meanings, head.strides if family else ())
    check_input(model, preprocessing)
    proto = onnx_ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, work / MODEL)
    pytorch = (
        TorchRunner(request.weights, request.config, head, threads=2)
        if family
        else MarkRunner(request.weights, request.config, deploy, names)
    )
    metrics = compare_with_pytorch(request, pytorch)
    for name in (UNCUT, CUT):
        (work / name).unlink()
    return OnnxModel(
        head=replace(head, family=family),
        preprocessing=preprocessing,
        outputs=tuple(Tensor(name=str(o.name), shape=_static(o)) for o in model.graph.outputs),
        opset=request.export.opset,
        metrics=metrics,
    )


def read_deploy_config(request: ExportRequest, preprocessing: Preprocessing) -> Config:
    """The mmdeploy config with the cut, the experiment's size and its opset. Raises ConfigError."""
    own = request.export.deploy_config
    if own is not None:
        deploy = read_own_config(own)
        if ends_behind_head(deploy):
            stop_behind_head()
    else:
        deploy = Config.fromfile(str(BASE))
        family = request.head.family
        stop_behind_head()
        cut_behind_head(deploy, None if family is None else FAMILIES[family].maps)
    deploy.onnx_config.input_shape = [preprocessing.width, preprocessing.height]
    deploy.onnx_config.opset_version = request.export.opset
    return deploy


def read_own_config(path: Path) -> Config:
    """The deploy config that the experiment names. Raises ConfigError."""
    try:
        deploy = Config.fromfile(str(path))
    except Exception as error:  # a config is a program: it can raise anything
        raise ConfigError(
            f"{path} is no readable mmdeploy config: {error}",
            "a Python file with onnx_config, partition_config and output_meaning",
            "check export.deploy_config",
        ) from error
    for key in ("onnx_config", "partition_config", "output_meaning"):
        if key not in deploy:
            raise ConfigError(
                f"{path} has no `{key}`",
                "onnx_config, partition_config and output_meaning, as docs/detectors.md shows",
            )
    return deploy


def trace(request: ExportRequest, deploy: Config) -> None:
    """The whole network with its marks, as mmdeploy writes it."""
    enter_scope(Config.fromfile(str(request.config)))
    reset_mark_function_count()  # of an earlier trace in this process
    torch2onnx(
        str(request.images[0]),
        str(request.work),
        UNCUT,
        deploy,
        str(request.config),
        str(request.weights),
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
        strides: none: the outputs are numbered (``cls_0``, in lists of lists ``map_0_0``), and one
            that is no list is not.

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
            names |= numbered(source, meaning, outputs)
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


def numbered(source: str, meaning: str, outputs: Iterable[str]) -> dict[str, str]:
    """The members of a list of mmdeploy's, in their order → names with their numbers."""
    prefix = f"{source}."
    places = [name.removeprefix(prefix) for name in outputs if name.startswith(prefix)] or ["0"]
    places.sort(key=lambda place: [(int(p) if p.isdigit() else -1, p) for p in place.split(".")])
    return {prefix + place: f"{meaning}_{place.replace('.', '_')}" for place in places}


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


def compare_with_pytorch(request: ExportRequest, pytorch: Infers) -> dict[str, float]:
    """ONNX Runtime against PyTorch on real images. Raises ParityError."""
    images, preprocessing = request.images, request.preprocessing
    return check_parity(
        run_on_images(pytorch, images, preprocessing),
        run_on_images(open_reference(request.work / MODEL, threads=2), images, preprocessing),
        request.export.tolerance,
        "the exported ONNX against PyTorch",
    )


def _static(value: onnx_ir.Value) -> tuple[int, ...]:
    shape = value.shape
    if shape is None or not all(isinstance(side, int) for side in shape):
        raise ModelError(f"{value.name} has the shape {shape}", "a static shape")
    return tuple(int(side) for side in np.array(shape.numpy()))


if __name__ == "__main__":
    answer(export, ExportRequest)
