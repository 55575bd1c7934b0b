"""The training child, and what each of its ranks saw and had in the end: ``rank_N.json``."""

import hashlib
import json
import random
import sys
from pathlib import Path
from typing import Any

from mmdet2tflite.detector import train_worker  # first: it prepares for mmdet

# isort: split
import torch
from mmengine.dist import get_rank
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS

from mmdet2tflite.detector import ranks
from mmdet2tflite.detector.train_request import TrainRequest
from mmdet2tflite.processes.messages import answer

WORK = Path(json.loads(Path(sys.argv[1]).read_text())["work"])
distribute = ranks.distribute


def with_probe(*arguments: Any) -> Any:
    config = distribute(*arguments)
    config.custom_hooks = [*config.custom_hooks, {"type": "Probe", "priority": "LOWEST"}]
    return config


def digest(model: torch.nn.Module) -> str:
    values = (value.numpy().tobytes() for value in model.state_dict().values())
    return hashlib.sha256(b"".join(values)).hexdigest()


@HOOKS.register_module()
class Probe(Hook):
    def before_train(self, runner: Any) -> None:
        self.images: list[list[int]] = []
        self.found: dict[str, Any] = {"chance": random.random(), "images": self.images}

    def before_train_epoch(self, runner: Any) -> None:
        self.images.append([])

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any, outputs: Any) -> None:
        self.images[-1] += [sample.img_id for sample in data_batch["data_samples"]]

    def after_train(self, runner: Any) -> None:
        (average,) = (hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook))
        self.found["weights"], self.found["averaged"] = digest(runner.model.module), digest(average)
        if get_rank() == 0:
            torch.save(average.module.state_dict(), WORK / "last.pth")
            self.found["files"] = sorted(
                str(path.relative_to(WORK / "run"))
                for path in (WORK / "run").rglob("*")
                if path.is_file() and path.suffix != ".log"
            )
            self.found["lines"] = (WORK / "run" / "curves.jsonl").read_text().splitlines()
        (WORK / f"rank_{get_rank()}.json").write_text(json.dumps(self.found))


if __name__ == "__main__":
    ranks.distribute = with_probe
    answer(train_worker.train, TrainRequest)
