"""What the ranks of a training do together (launch.py starts them). Child processes only.

mmengine shares out images, sums up gradients and gathers detections. What it leaves to its user:

1. Ranks that train on different data, or by different code, are no training: refused.
2. Rank 0 alone writes into the folder of the run. The others have a folder each, below it, or on
   another machine; a checkpoint to go on from is handed to them.
3. Every rank's batch norms see its own images. Before an epoch is saved and validated, the running
   statistics of all ranks are averaged, those of the averaged weights as well: what is validated,
   a part on each rank, is one network, and the one that is saved.

All of it does nothing in a training by a single process.
"""

import copy
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import (
    all_gather_object,
    all_reduce,
    broadcast_object_list,
    get_rank,
    get_world_size,
    is_distributed,
)
from mmengine.hooks import EMAHook, Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import HOOKS, MODEL_WRAPPERS
from mmengine.runner import Runner

from mmdet2tflite.config.experiment import Training
from mmdet2tflite.detector.speed import speed_up
from mmdet2tflite.errors import ConfigError


def join(training: Training, origin: Mapping[str, Any]) -> bool:
    """Meet the other ranks, and check rule 1.

    Args:
        origin: what the key of the training digests.

    Returns:
        Whether this one is rank 0.

    Raises:
        ConfigError: a machine has too few GPUs; another machine trains something else.
    """
    if training.ranks == 1:
        return True
    on_gpu = training.device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        if torch.cuda.device_count() < training.processes:
            raise ConfigError(
                f"training.processes is {training.processes}, and PyTorch finds "
                f"{torch.cuda.device_count()} CUDA devices",
                "a GPU for each process of a machine",
                "lower training.processes, or set training.device=cpu",
            )
        torch.cuda.set_device(local_rank())
    # Not left to mmengine: it asks for a GPU even where none is used.
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo")
    check_agreement(origin)
    return get_rank() == 0


def leave() -> None:
    """Part from the other ranks."""
    if is_distributed():
        torch.distributed.destroy_process_group()


def local_rank() -> int:
    """Number of this process among those of its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def check_agreement(origin: Mapping[str, Any]) -> None:
    """Rule 1. Raises ConfigError on every rank."""
    first, *others = all_gather_object(origin)
    different = sorted(name for name in first if any(each[name] != first[name] for each in others))
    if different:
        raise ConfigError(
            f"the machines of this training disagree about its {', '.join(different)}",
            "the same experiment, data set, files, versions and code on each",
            "compare log/train.json on the first machine with that of train-node on the others",
        )


def distribute(cfg: Config, training: Training) -> Config:
    """The config of this rank's Runner: rules 2 and 3."""
    if training.ranks == 1:
        return cfg
    cfg = copy.deepcopy(cfg)
    cfg.launcher = "pytorch"
    cfg.model_wrapper_cfg = dict(
        type="PreparedDataParallel",
        broadcast_buffers=False,
        find_unused_parameters=cfg.get("find_unused_parameters", False),
    )
    if not torch.cuda.is_available():
        cfg.model_wrapper_cfg.device_ids = None
    # The detections go over the network: not every machine sees the first one's files.
    cfg.val_evaluator.collect_device = cfg.test_evaluator.collect_device = "gpu"
    cfg.custom_hooks = [*cfg.custom_hooks, dict(type="AverageStatisticsHook")]
    if get_rank():
        cfg.work_dir = str(Path(cfg.work_dir, f"rank_{get_rank()}"))
        Path(cfg.work_dir).mkdir(parents=True, exist_ok=True)
    return cfg


def agree[T](value: T) -> T:
    """Rank 0's value, on every rank."""
    values = [value]
    broadcast_object_list(values)
    return values[0]


def hand_out(file: Path | None, folder: Path) -> Path | None:
    """Rank 0's file, in each rank's own folder."""
    content = agree((file.name, file.read_bytes()) if file and get_world_size() > 1 else None)
    if content is None or get_rank() == 0:
        return file
    name, data = content
    (folder / name).write_bytes(data)
    return folder / name


@MODEL_WRAPPERS.register_module()
class PreparedDataParallel(MMDistributedDataParallel):
    """mmengine's wrapper around a model that is prepared for speed.

    Before it is wrapped: gradients are exchanged in the order of memory that they have then.
    """

    def __init__(self, module: torch.nn.Module, **settings: Any) -> None:
        speed_up(module)
        super().__init__(module=module, **settings)


@HOOKS.register_module()
class AverageStatisticsHook(Hook):
    """Rule 3, for the network and for each average that an EMAHook keeps of it."""

    def after_train_epoch(self, runner: Runner) -> None:
        """Average the running statistics of all ranks, in place."""
        averages = [hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook)]
        models = [runner.model, *averages]
        for buffer in itertools.chain.from_iterable(model.buffers() for model in models):
            if buffer.is_floating_point():  # the others count iterations
                all_reduce(buffer, op="mean")
