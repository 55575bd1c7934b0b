"""Child process: trains with mmdet's Runner, maybe as one of several, or takes a checkpoint."""

import json
import shutil
from pathlib import Path

from mmdet2tflite.detector import compat

compat.prepare()  # before anything imports mmdet

import torch  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.dist import is_distributed, is_main_process  # noqa: E402
from mmengine.runner import Runner  # noqa: E402
from mmengine.runner.checkpoint import _load_checkpoint  # noqa: E402
from torch.distributed.elastic.multiprocessing.errors import record  # noqa: E402

from mmdet2tflite.artifacts import Checkpoint  # noqa: E402
from mmdet2tflite.config.experiment import DetectorConfig, Training  # noqa: E402
from mmdet2tflite.detector import augment, cached_dataset, early_end, layers, ranks, recorder  # noqa: E402, F401  (they register themselves)
from mmdet2tflite.detector.head_description import describe_head  # noqa: E402
from mmdet2tflite.detector.mmdet_config import build_config, describe_preprocessing  # noqa: E402
from mmdet2tflite.detector.network_check import check_boxes, check_network  # noqa: E402
from mmdet2tflite.detector.pipeline_checks import pipeline_cautions  # noqa: E402
from mmdet2tflite.detector.saved_config import without_places  # noqa: E402
from mmdet2tflite.detector.speed import speed_up  # noqa: E402
from mmdet2tflite.detector.start_weights import (  # noqa: E402
    Start,
    build_with,
    fit_to_classes,
    read_checkpoint,
    read_onnx,
)
from mmdet2tflite.detector.train_request import CURVES, DataPaths, TrainRequest  # noqa: E402
from mmdet2tflite.errors import ConfigError, ToolKilled  # noqa: E402
from mmdet2tflite.processes.messages import answer, progress  # noqa: E402

RUN = "run"
LOADER_KILLED = "is killed by signal: Killed"
"""Of PyTorch's message: mostly a kernel that was out of memory."""
WEIGHTS, CONFIG = (Checkpoint.model_fields[name].default for name in ("weights", "config"))
START = "start.pth"
STATISTICS_IMAGES = 16
"""That the statistics of batch norms are taken from, where the weights come without."""


@record  # for torchrun's report on a rank that failed
def train(request: TrainRequest) -> Checkpoint | None:
    """Train or adopt, then write ``weights.pth`` and ``config.py``: rank 0 does, others: None."""
    work, data = request.work, request.data
    detector, training = request.detector, request.training
    _check_device(training.device)
    cfg = build_config(detector, training, data, work / RUN)
    preprocessing = describe_preprocessing(detector, cfg)
    head = describe_head(cfg, data.classes)
    check_boxes(cfg, data.train[0])
    check_network(cfg, head, preprocessing)
    start = load_start(training, detector, cfg, data)
    if training.epochs:
        writes = ranks.join(training, request.origin)
        if writes:
            _tell_cautions(cfg)
        _train(ranks.distribute(cfg, training), start, detector)
        ranks.leave()
        if not writes:
            return None
        epoch = recorder.best_epoch(work / RUN)
        shutil.copyfile(work / RUN / recorder.BEST, work / WEIGHTS)
    else:
        assert start is not None  # config.Training: epochs 0 only with a checkpoint
        epoch = start.epoch
        metainfo = {"classes": data.classes}
        model = build_with(cfg, start)
        _check_layers(model, detector)
        recorder.save_weights(work / WEIGHTS, model, metainfo, epoch)
    _dump(cfg, data, work)
    curves = recorder.read_curves(work / RUN)
    (work / CURVES).write_text(json.dumps(curves), encoding="utf-8")
    return Checkpoint(
        head=head,
        preprocessing=preprocessing,
        epoch=epoch,
        metrics=recorder.curve_metrics(curves),
    )


def _dump(cfg: Config, data: DataPaths, work: Path) -> None:
    """The config, without what is of this machine or of an interruption alone."""
    cfg.load_from, cfg.resume = None, False
    splits = (data.train, data.val)
    folders = [work, *(file.parent for file, _ in splits), *(images for _, images in splits)]
    Config(without_places(cfg.to_dict(), folders)).dump(str(work / CONFIG))


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


def load_start(
    training: Training, detector: DetectorConfig, cfg: Config, data: DataPaths
) -> Start | None:
    """The weights of ``training.checkpoint``. Raises ModelError or ParityError."""
    path = training.checkpoint
    if path is None:
        return None
    if path.suffix == ".onnx":
        folder = data.train[1]
        images = json.loads(data.train[0].read_text(encoding="utf-8"))["images"][:STATISTICS_IMAGES]
        files = [folder / image["file_name"] for image in images]
        start = read_onnx(path, cfg, describe_preprocessing(detector, cfg), files)
    else:
        start = read_checkpoint(path)
    return fit_to_classes(start, cfg, data.classes, training=training.epochs > 0)


def _check_layers(model: torch.nn.Module, detector: DetectorConfig) -> None:
    if detector.padding == "tf":
        layers.check_padding(model)


def _train(cfg: Config, start: Start | None, detector: DetectorConfig) -> None:
    """Train to the end, from the last saved epoch if there is one."""
    folder = Path(cfg.work_dir)
    saved = ranks.hand_out(latest_readable(folder) if is_main_process() else None, folder)
    if saved is not None:
        cfg.load_from, cfg.resume = str(saved), True
        if is_main_process():
            print(f"going on from {saved.name}", flush=True)
    elif start is not None:
        build_with(cfg, start)  # mmengine's own loading takes what fits and is silent on the rest
        folder.mkdir(parents=True, exist_ok=True)
        torch.save({"state_dict": start.state_dict}, folder / START)
        cfg.load_from = str(folder / START)
    runner = Runner.from_cfg(cfg)
    _check_layers(getattr(runner.model, "module", runner.model), detector)
    if not is_distributed():  # a wrapped model is prepared
        speed_up(runner.model)
    try:
        runner.train()
    except RuntimeError as error:
        if LOADER_KILLED in f"{error} {error.__cause__}":  # which of the two PyTorch says varies
            raise ToolKilled(
                f"training: {error}",
                "processes that load images until the training ends",
                "fewer of them (training.workers), or more memory",
            ) from error
        raise


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
    answer(train, TrainRequest)
