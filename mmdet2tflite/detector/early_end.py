"""The mmengine hook that ends a training before its last epoch. Child processes only."""

import time
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmdet2tflite.detector import ranks
from mmdet2tflite.detector.recorder import read_curves

SECONDS = "mmdet2tflite/seconds"
"""Under which mmengine keeps them in its checkpoints."""


@HOOKS.register_module()
class EarlyEnd(Hook):
    """Ends at the first of two limits; the weights of the best validation are kept anyway.

    1. ``patience`` validations in a row without a better mAP. They are counted in ``curves.jsonl``,
       so that an interruption does not begin anew.
    2. ``minutes`` of training: the epoch in which they are over is finished, validated, and the
       last. What passed before an interruption counts up to the epoch that is gone on from.
    3. Rank 0 decides for all.
    """

    def __init__(self, patience: int | None, minutes: float | None) -> None:
        self._patience, self._minutes = patience, minutes

    def before_train(self, runner: Runner) -> None:
        """Start the clock; a run that was interrupted at its end is not continued."""
        self._began = time.monotonic() - (runner.message_hub.get_info(SECONDS, 0.0) or 0.0)
        self._judge(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Have this epoch validated if it is the last."""
        runner.message_hub.update_info(SECONDS, time.monotonic() - self._began)
        if ranks.agree(self._time_is_up()):
            runner.train_loop.dynamic_intervals = [1]

    def after_val_epoch(self, runner: Runner, metrics: dict[str, Any] | None = None) -> None:
        """End, if a limit is reached."""
        if runner.epoch:  # weights to start from are validated before the clock runs
            self._judge(runner)

    def _judge(self, runner: Runner) -> None:
        scores = [line["map"] for line in read_curves(Path(runner.work_dir)) if "map" in line]
        reason = ""
        if self._patience is not None and without_gain(scores) >= self._patience:
            reason = f"{self._patience} validations without a better mAP"
        elif self._time_is_up():
            reason = f"{self._minutes:g} minutes are over"
        reason = ranks.agree(reason)
        if reason:
            runner.train_loop.stop_training = True
            runner.logger.info(f"ends after epoch {runner.epoch}: {reason}")

    def _time_is_up(self) -> bool:
        return self._minutes is not None and time.monotonic() - self._began > 60 * self._minutes


def without_gain(scores: list[float]) -> int:
    """How many of the last scores in a row are no better than one before them."""
    return len(scores) - 1 - scores.index(max(scores)) if scores else 0
