"""Stage: checkpoint → ONNX, cut before the post-processing, by mmdeploy in a child process."""

from pathlib import Path

from mmdet2tflite.artifacts import Checkpoint, Dataset, OnnxModel
from mmdet2tflite.config.experiment import Export
from mmdet2tflite.data.files import image_files
from mmdet2tflite.detector.config_file import config_digests
from mmdet2tflite.detector.export_request import ExportRequest
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.parity.check import PARITY_IMAGES
from mmdet2tflite.runtime.decode import FAMILIES
from mmdet2tflite.stage import Job, Stage

DEPLOY_CONFIGS = {family: Path("configs/deploy", f"{family}.py") for family in FAMILIES}
"""Where each family is cut, if ``export.deploy_config`` does not say it."""


def export(job: Job, config: Export, *, checkpoint: Checkpoint, dataset: Dataset) -> OnnxModel:
    """Trace, cut, fold and name; then compare with PyTorch on real validation images.

    Raises:
        ConfigError: nothing says where the network is cut.
        ParityError: an output misses ``config.tolerance`` against PyTorch.
        UserError: anything else that went wrong in the child.
    """
    request = ExportRequest(
        export=with_deploy_config(config, checkpoint.head.family),
        head=checkpoint.head,
        preprocessing=checkpoint.preprocessing,
        weights=job.store.path(checkpoint, checkpoint.weights),
        config=job.store.path(checkpoint, checkpoint.config),
        images=image_files(job.store, dataset, "val")[:PARITY_IMAGES],
        work=job.work,
    )
    worker = "mmdet2tflite.detector.export_worker"
    return job.ask("mmdeploy", worker, request, OnnxModel, log="export")


def with_deploy_config(config: Export, family: str | None) -> Export:
    """The family's deploy config, where the experiment names none.

    Raises:
        ConfigError: there is neither.
    """
    if config.deploy_config is not None:
        return config
    if family is None:
        raise ConfigError(
            "no deploy config for this detector: its head is of no known family",
            f"export.deploy_config, or a head of the families {', '.join(DEPLOY_CONFIGS)}",
            "`mmdet2tflite marks EXPERIMENT` lists where it can be cut; docs/detectors.md has an "
            "example. What was trained is kept",
        )
    return config.model_copy(update={"deploy_config": DEPLOY_CONFIGS[family]})


def _deploy_configs(config: Export) -> list[str] | dict[str, list[str]]:
    if config.deploy_config is not None:
        return config_digests(config.deploy_config)
    # Which of the defaults it will be is known with the checkpoint only.
    return {family: config_digests(path) for family, path in DEPLOY_CONFIGS.items()}


EXPORT: Stage[OnnxModel] = Stage(
    name="onnx",
    run=export,
    tools=("torch", "torchvision", "mmengine", "mmcv-lite", "mmdet", "mmdeploy", "onnx", "onnxsim"),
    outside=_deploy_configs,
)
