"""Child process: one short training, by mmdet's own ``tools/train.py`` or as in this project."""

import json
import runpy
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.training.training_request import Trained, TrainingRequest
from mmdet2tflite.detector import compat

compat.prepare()  # before anything imports mmdet

import mmdet  # noqa: E402
import torch  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.hooks import Hook  # noqa: E402
from mmengine.registry import HOOKS  # noqa: E402
from mmengine.runner import Runner  # noqa: E402

from mmdet2tflite.detector import augment, cached_dataset, recorder  # noqa: E402, F401  (they register themselves)
from mmdet2tflite.detector.mmdet_config import build_config  # noqa: E402
from mmdet2tflite.detector.speed import speed_up  # noqa: E402
from mmdet2tflite.processes.messages import answer  # noqa: E402

STOCK = Path(mmdet.__file__).parent / ".mim" / "tools" / "train.py"


@HOOKS.register_module()
class IterationRecorder(Hook):
    """Writes the duration (data loading included) and the loss of every iteration to a file."""

    priority = "VERY_LOW"

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        self._found: dict[str, list[float]] = {"seconds": [], "loss": []}

    def before_train(self, runner: Runner) -> None:
        """Start the clock."""
        self._last = time.perf_counter()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Take the time, and the loss that mmdet reports."""
        now = time.perf_counter()
        self._found["seconds"].append(now - self._last)
        self._found["loss"].append(float(outputs["loss"]))
        self._last = now

    def after_train(self, runner: Runner) -> None:
        """Write the file."""
        self._file.write_text(json.dumps(self._found), encoding="utf-8")


def train(request: TrainingRequest) -> Trained:
    """Train."""
    torch.set_num_threads(request.threads)
    work, recorded = request.work, request.work / "recorded.json"
    cfg = build_config(request.detector, request.training, request.data, work / "run")
    cfg.custom_hooks.append(dict(type="IterationRecorder", file=str(recorded)))
    cfg.train_cfg.val_interval = cfg.train_cfg.max_epochs + 1
    if request.way == "stock":
        by_stock(cfg, work / "config.py")
    else:
        runner = Runner.from_cfg(cfg)
        speed_up(runner.model)
        runner.train()
    return Trained.model_validate_json(recorded.read_bytes())


def by_stock(cfg: Config, file: Path) -> None:
    """Hand the config to mmdet's script, without what this project puts into it for speed."""
    cfg.optim_wrapper.pop("constructor", None)
    cfg.optim_wrapper.optimizer.pop("fused", None)
    images = cfg.train_dataloader.dataset.get("dataset", {})
    if images.pop("cache_bytes", None):
        images["type"] = "CocoDataset"
    cfg.dump(str(file))
    sys.argv = [str(STOCK), str(file)]
    runpy.run_path(str(STOCK), run_name="__main__")


if __name__ == "__main__":
    answer(train, TrainingRequest)
