"""Stage: checkpoint → ONNX, cut before the post-processing, by mmdeploy in a child process."""

from pathlib import Path

from mmdet2tflite.artifacts import Checkpoint, Dataset, OnnxModel
from mmdet2tflite.config.experiment import Export
from mmdet2tflite.data.files import image_files
from mmdet2tflite.detector.config_file import config_digests
from mmdet2tflite.detector.export_request import BASE, ExportRequest
from mmdet2tflite.parity.check import PARITY_IMAGES
from mmdet2tflite.stage import Job, Stage

OLDER_CUTS = {family: Path("configs/deploy", f"{family}.py") for family in ("rtmdet", "yolox")}
"""The families that mmdeploy's own marks cut. Behind the head they would be cut into the same graph
with other names of constants, and so into another file than earlier versions made."""


def export(job: Job, config: Export, *, checkpoint: Checkpoint, dataset: Dataset) -> OnnxModel:
    """Trace, cut, fold and name; then compare with PyTorch on real validation images.

    Raises:
        ConfigError: ``config.deploy_config`` is no deploy config.
        ParityError: an output misses ``config.tolerance`` against PyTorch.
        UserError: anything else that went wrong in the child.
    """
    request = ExportRequest(
        export=with_older_cut(config, checkpoint.head.family),
        head=checkpoint.head,
        preprocessing=checkpoint.preprocessing,
        weights=job.store.path(checkpoint, checkpoint.weights),
        config=job.store.path(checkpoint, checkpoint.config),
        images=image_files(job.store, dataset, "val")[:PARITY_IMAGES],
        work=job.work,
    )
    worker = "mmdet2tflite.detector.export_worker"
    return job.ask("mmdeploy", worker, request, OnnxModel, log="export")


def with_older_cut(config: Export, family: str | None) -> Export:
    """The family's deploy config, where the experiment names none and the family has one."""
    if config.deploy_config is not None or family not in OLDER_CUTS:
        return config
    return config.model_copy(update={"deploy_config": OLDER_CUTS[family]})


def _deploy_configs(config: Export) -> list[str] | dict[str, list[str]]:
    if config.deploy_config is not None:
        return config_digests(config.deploy_config)
    # Which of them it will be is known with the checkpoint only.
    return {path.stem: config_digests(path) for path in (BASE, *OLDER_CUTS.values())}


EXPORT: Stage[OnnxModel] = Stage(
    name="onnx",
    run=export,
    tools=("torch", "torchvision", "mmengine", "mmcv-lite", "mmdet", "mmdeploy", "onnx", "onnxsim"),
    outside=_deploy_configs,
)
