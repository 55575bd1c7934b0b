"""The mmengine hook that records a run: progress, curves, best weights. Child processes only."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce_dict, master_only
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmdet2tflite.detector import ranks
from mmdet2tflite.processes.messages import progress

CURVES = "curves.jsonl"
BEST = "best.pth"
SECONDARY = {"bbox_mAP_50": "map_50", "bbox_mAP_75": "map_75"}


@HOOKS.register_module()
class RunRecorder(Hook):
    """Keeps what must survive a kill at any moment.

    1. After every epoch one line ``{"epoch", "iteration", name: value, …}`` goes to
       ``curves.jsonl``; a line of an epoch that is trained again replaces the earlier one on
       reading (``read_curves``).
    2. An epoch is saved before it is validated. A run that was killed between the two makes up for
       the validation when it resumes.
    3. Weights to start from are validated as epoch 0: it shows what they were worth, and a run that
       only made them worse gives them back.
    4. After a validation that beats the best so far, the weights (the averaged ones, which EMAHook
       has in place then; hence the high priority) go to ``best.pth`` by an atomic rename.
    5. Of several ranks the first writes; recorded losses are the mean of all (ranks.py).
    """

    def before_train(self, runner: Runner) -> None:
        """Remember the best validation so far; make up for a lost one, or for that of epoch 0."""
        self._folder = Path(runner.work_dir)
        self._last_map: float | None = None
        self._losses: dict[str, list[float]] = {}
        scores = {int(x["epoch"]): x["map"] for x in read_curves(self._folder) if "map" in x}
        kept = (self._folder / BEST).exists()
        self._best = max(scores.values(), default=-1.0) if kept else -1.0
        if ranks.agree(is_validated(runner) and runner.epoch not in scores):
            runner.val_loop.run()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Move the progress bar, on each machine."""
        for name, value in (outputs or {}).items():
            if "loss" in name and torch.is_tensor(value):
                self._losses.setdefault(name, []).append(value.item())
        if ranks.local_rank():
            return
        fields = {} if self._last_map is None else {"map": self._last_map}
        progress(
            completed=runner.iter + 1,
            total=runner.max_iters,
            epoch=f"{runner.epoch + 1}/{runner.max_epochs}",
            loss=round(self._losses["loss"][-1], 3),
            **fields,
        )

    def after_train_epoch(self, runner: Runner) -> None:
        """Record the epoch's mean losses and its learning rate."""
        means = {
            name: torch.tensor(sum(values) / len(values), dtype=torch.float64)
            for name, values in self._losses.items()
        }
        all_reduce_dict(means, op="mean")
        losses = {name: value.item() for name, value in means.items()}
        rate = runner.optim_wrapper.get_lr()["lr"][0]
        self._append(runner, runner.epoch + 1, learning_rate=rate, **losses)
        self._losses = {}

    @master_only
    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Record the validation; keep the weights if they are the best so far."""
        # CocoMetric returns nothing at all when not one box was detected.
        found = {name.rpartition("/")[2]: value for name, value in (metrics or {}).items()}
        score = float(found.get("bbox_mAP", 0.0))
        more = {short: float(found[name]) for name, short in SECONDARY.items() if name in found}
        if score > self._best:
            self._best = score
            model = getattr(runner.model, "module", runner.model)
            save_weights(
                self._folder / BEST, model, runner.val_dataloader.dataset.metainfo, runner.epoch
            )
        self._append(runner, runner.epoch, map=score, **more)
        self._last_map = score

    @master_only
    def _append(self, runner: Runner, epoch: int, **values: float) -> None:
        line = {"epoch": epoch, "iteration": runner.iter, **values}
        with (self._folder / CURVES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def is_validated(runner: Runner) -> bool:
    """Whether a validation belongs to the epoch that was finished last (EpochBasedTrainLoop.run).

    To epoch 0, where there is none finished, if the run starts from given weights.
    """
    epoch: int = runner.epoch
    if epoch == 0:
        return bool(runner.cfg.load_from)
    last = epoch == runner.max_epochs
    return last or epoch % runner.train_loop.val_interval == 0


def save_weights(path: Path, model: torch.nn.Module, metainfo: Any, epoch: int) -> None:
    """Write weights and classes alone, by an atomic rename."""
    # In the usual order of memory, whatever it was trained in.
    weights = {n: value.detach().cpu().contiguous() for n, value in model.state_dict().items()}
    meta = {"dataset_meta": {"classes": list(metainfo["classes"])}, "epoch": epoch}
    partial = path.with_suffix(".partial")
    torch.save({"state_dict": weights, "meta": meta}, partial)
    os.replace(partial, path)


def best_epoch(folder: Path) -> int:
    """The epoch whose weights are in ``best.pth``."""
    scored = [line for line in read_curves(folder) if "map" in line]
    return int(max(scored, key=lambda line: line["map"])["epoch"])


def read_curves(folder: Path) -> list[dict[str, float]]:
    """The recorded lines in order of epoch, an epoch that was trained twice only once."""
    path = folder / CURVES
    by_epoch: dict[tuple[int, bool], dict[str, float]] = {}
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            line = json.loads(text)
        except ValueError:  # the line that a kill cut short
            continue
        by_epoch[line["epoch"], "map" in line] = line
    return [by_epoch[key] for key in sorted(by_epoch)]


def curve_metrics(curves: list[dict[str, float]]) -> dict[str, float]:
    """Of the best validation, and of the weights that the training started from."""
    scored = [line for line in curves if "map" in line]
    if not scored:
        return {}
    lines = {"val": max(scored, key=lambda line: line["map"])}
    if scored[0]["epoch"] == 0:
        lines["start"] = scored[0]
    return {
        f"{which}.{name}": value
        for which, line in lines.items()
        for name, value in line.items()
        if name.startswith("map")
    }
