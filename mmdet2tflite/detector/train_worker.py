"""Child process: trains with mmdet's Runner, or takes a given checkpoint.

Argument: a JSON file with ``detector``, ``training``, ``data``, ``work``, ``result``.
"""

import json
import pickle
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from mmdet2tflite.detector import mmlab

mmlab.prepare()  # before anything imports mmdet

import torch  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.runner import Runner  # noqa: E402
from mmengine.runner.checkpoint import _load_checkpoint  # noqa: E402

from mmdet2tflite.config import Detector, Training  # noqa: E402
from mmdet2tflite.detector import augment, layers, recorder  # noqa: E402, F401  (they register themselves)
from mmdet2tflite.detector.mmdet_config import (  # noqa: E402
    DataPaths,
    build_config,
    check_classes,
    describe_head,
    describe_preprocessing,
)
from mmdet2tflite.detector.pipeline_checks import pipeline_cautions  # noqa: E402
from mmdet2tflite.errors import ConfigError, ModelError  # noqa: E402
from mmdet2tflite.toolchain import progress  # noqa: E402

RUN = "run"
WEIGHTS, CONFIG = "weights.pth", "config.py"


def main() -> None:
    """Train or adopt, then write ``weights.pth``, ``config.py`` and the result."""
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    work = Path(spec["work"])
    detector = Detector.model_validate(spec["detector"])
    training = Training.model_validate(spec["training"])
    data = DataPaths.model_validate(spec["data"])
    _check_device(training.device)
    cfg = build_config(detector, training, data, work / RUN)
    start = load_start(training, data.classes)
    if training.epochs:
        _tell_cautions(cfg)
        epoch = _train(cfg, start, detector)
        shutil.copyfile(work / RUN / recorder.BEST, work / WEIGHTS)
    else:
        assert start is not None  # config.Training: epochs 0 only with a checkpoint
        epoch = start.epoch
        metainfo = {"classes": data.classes}
        model = build_with(cfg, start)
        _check_layers(model, detector)
        recorder.save_weights(work / WEIGHTS, model, metainfo, epoch)
    cfg.dump(str(work / CONFIG))
    result = {
        "head": describe_head(cfg, data.classes).model_dump(mode="json"),
        "preprocessing": describe_preprocessing(detector, cfg).model_dump(mode="json"),
        "epoch": epoch,
        "curves": recorder.read_curves(work / RUN),
    }
    Path(spec["result"]).write_text(json.dumps(result), encoding="utf-8")


def _tell_cautions(cfg: Config) -> None:
    """In the terminal and in the log, before the first epoch."""
    for caution in pipeline_cautions(cfg.to_dict()):
        progress(caution=str(caution))
        print(f"caution: {caution}", flush=True)


def _check_device(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "training.device is cuda, and PyTorch finds no CUDA device",
            "a GPU with a driver that this PyTorch supports",
            "set training.device=auto, or look at `mmdet2tflite doctor`",
        )


@dataclass(frozen=True)
class Start:
    """The weights of ``training.checkpoint`` and the epoch that they are from."""

    path: Path
    state_dict: dict[str, torch.Tensor]
    epoch: int


def load_start(training: Training, classes: tuple[str, ...]) -> Start | None:
    """Read the checkpoint to start from, without running code from it. Raises ModelError."""
    path = training.checkpoint
    if path is None:
        return None
    if not path.is_file():
        raise ModelError(
            f"there is no checkpoint {path}", "a .pth file", "check training.checkpoint"
        )
    try:
        checkpoint = _load_checkpoint(str(path), map_location="cpu")
        state_dict = checkpoint["state_dict"]
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} holds more than weights: {str(error).splitlines()[0]}",
            "tensors and plain values only; anything else could run code when it is loaded",
            "save it again with torch.save({'state_dict': …, 'meta': …}) on a machine you trust",
        ) from error
    except Exception as error:
        raise ModelError(
            f"{path} is no readable checkpoint: {type(error).__name__}: {error}",
            "a file that torch.save wrote, with a `state_dict`",
        ) from error
    meta = checkpoint.get("meta") or {}
    dataset = meta.get("dataset_meta") or {}
    names = dataset.get("classes") or dataset.get("CLASSES")
    check_classes(tuple(names) if names else None, classes, path)
    return Start(path, state_dict, int(meta.get("epoch") or 0))


def build_with(cfg: Config, start: Start) -> torch.nn.Module:
    """The network with these weights, which must fit it exactly. Raises ModelError."""
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    model: torch.nn.Module = MODELS.build(cfg.model)
    try:
        model.load_state_dict(start.state_dict, strict=True)
    except RuntimeError as error:
        raise ModelError(
            f"{start.path} does not fit the network: " + "; ".join(str(error).splitlines()[1:4]),
            "the weights of the same detector config with the same number of classes",
            "check detector.config and training.checkpoint",
        ) from None
    return model


def _check_layers(model: torch.nn.Module, detector: Detector) -> None:
    if detector.padding == "tf":
        layers.check_padding(model)


def _train(cfg: Config, start: Start | None, detector: Detector) -> int:
    """Train to the end, from the last saved epoch if there is one; the best epoch's number."""
    folder = Path(cfg.work_dir)
    saved = latest_readable(folder)
    if saved is not None:
        cfg.load_from, cfg.resume = str(saved), True
        print(f"going on from {saved.name}", flush=True)
    elif start is not None:
        build_with(cfg, start)  # mmengine's own loading takes what fits and is silent on the rest
        cfg.load_from = str(start.path)
    runner = Runner.from_cfg(cfg)
    _check_layers(runner.model, detector)
    runner.train()
    scored = [line for line in recorder.read_curves(folder) if "map" in line]
    best = max(scored, key=lambda line: line["map"])
    return int(best["epoch"])


def latest_readable(folder: Path) -> Path | None:
    """The newest complete ``epoch_N.pth``: a kill may have cut the last one short."""
    numbered = sorted(
        folder.glob("epoch_*.pth"), key=lambda path: int(path.stem.partition("_")[2]), reverse=True
    )
    for path in numbered:
        try:
            _load_checkpoint(str(path), map_location="cpu")
        except (RuntimeError, EOFError) as error:  # what a zip archive cut short raises
            print(f"{path.name} is incomplete ({error}); trying the one before", flush=True)
            continue
        return path
    return None


if __name__ == "__main__":
    main()
