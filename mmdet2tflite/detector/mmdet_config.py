"""Builds the complete mmdet config of a run. Imported in child processes only.

An ordinary mmdet config file gives the network; the experiment gives data, classes, input size,
schedule and augmentation. What the experiment leaves to the file (``config``) is not touched.
"""

import inspect
from pathlib import Path
from typing import Any

from mmdet.models.detectors.base_detr import DetectionTransformer
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict

from mmdet2tflite.config.experiment import DetectorConfig, Training
from mmdet2tflite.detector.head_description import FAMILY_OF_HEAD
from mmdet2tflite.detector.pipeline_checks import LARGEST_ROTATION
from mmdet2tflite.detector.pipelines import (
    PAD_VALUE,
    letterbox,
    load_annotations,
    test_pipeline,
    train_pipeline,
)
from mmdet2tflite.detector.schedule import set_hooks, set_schedule
from mmdet2tflite.detector.scope import UPRIGHT, enter_scope, is_rotated
from mmdet2tflite.detector.train_request import DataPaths
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.passport import Preprocessing
from mmdet2tflite.processes.machine import cores

CACHE_BYTES = 2**30
"""For letterboxed training images, in all loading processes of a machine together."""

ACTIVATIONS = {"silu": "SiLU", "relu": "ReLU", "relu6": "ReLU6", "hardswish": "HSwish"}
"""``detector.activation`` → mmcv's name."""

WITH_STEM = {"CSPNeXt": "CSPNeXtSame"}
"""Backbones that keep ``conv_cfg`` from their stem → ours that do not (layers.py)."""

ASKS_FOR_BORDER = ("CenterNetHead",)
"""Heads whose ``predict`` takes the place of the picture in the input from its meta data."""


def build_config(
    detector: DetectorConfig, training: Training, data: DataPaths, work_dir: Path
) -> Config:
    """The mmdet config of a training run, ready for ``Runner.from_cfg``.

    Raises:
        ConfigError: the file is missing, no mmdet config, or of an unknown detector family.
    """
    cfg = read_config(detector.config)
    enter_scope(cfg)
    _check_rotation(cfg, training)
    head_of(cfg.model).num_classes = len(data.classes)
    _set_layers(cfg.model, detector)
    _use_batch_norms_of_one_process(cfg.model)
    cfg.work_dir = str(work_dir)
    cfg.load_from, cfg.resume = None, False
    # Of a rank's augmentation; the order of images is one for all ranks (DefaultSampler's seed).
    cfg.randomness = dict(seed=training.seed, diff_rank_seed=training.ranks > 1)
    _set_data(cfg, detector, training, data)
    set_schedule(cfg, training)
    set_hooks(cfg, training)
    return cfg


def read_config(path: Path) -> Config:
    """Read an mmdet config file with its bases. Raises ConfigError."""
    try:
        cfg = Config.fromfile(str(path))
    except Exception as error:  # a config is a program: it can raise anything
        raise ConfigError(
            f"{path} is no readable mmdet config: {type(error).__name__}: {error}",
            "a Python file with `model = dict(…)`",
            "check detector.config",
        ) from error
    if "model" not in cfg:
        raise ConfigError(f"{path} defines no `model`", "an mmdet detector config")
    cfg.default_scope = cfg.get("default_scope", UPRIGHT)
    check_kind(cfg.model)
    return cfg


def check_kind(model: ConfigDict) -> None:
    """Refuse what has no maps of boxes. Raises ConfigError."""
    head_of(model)
    kind = MODELS.get(model.get("type", ""))
    if kind is not None and issubclass(kind, DetectionTransformer):
        raise ConfigError(
            f"the detector, a {model.type}, is a transformer: its boxes are answers to queries, "
            "and its attention is no convolution",
            "a detector of one stage; with a decoder here are those with the heads "
            + ", ".join(sorted(FAMILY_OF_HEAD)),
            "choose another detector.config",
        )


def head_of(model: ConfigDict) -> ConfigDict:
    """The bbox_head's config. Raises ConfigError for a detector without one."""
    head = model.get("bbox_head")
    if not head:
        raise ConfigError(
            f"the detector, a {model.get('type')}, has no bbox_head",
            "a detector of one stage; with a decoder here are those with the heads "
            + ", ".join(sorted(FAMILY_OF_HEAD)),
            "choose another detector.config",
        )
    return head


def describe_preprocessing(detector: DetectorConfig, cfg: Config) -> Preprocessing:
    """How a picture becomes this network's input."""
    settings = cfg.model.get("data_preprocessor") or {}
    width, height = detector.input_size
    return Preprocessing(
        width=width,
        height=height,
        colour_order="rgb" if settings.get("bgr_to_rgb") else "bgr",
        pad_value=PAD_VALUE,
        mean=tuple(settings.get("mean") or (0.0, 0.0, 0.0)),
        std=tuple(settings.get("std") or (1.0, 1.0, 1.0)),
    )


def _check_rotation(cfg: Config, training: Training) -> None:
    """Refuse to turn upright boxes far. Raises ConfigError."""
    settings = training.augmentation
    if settings == "config" or is_rotated(cfg) or settings.rotate <= LARGEST_ROTATION:
        return
    raise ConfigError(
        f"training.augmentation.rotate is {settings.rotate:g} and the boxes are upright: those "
        "around what was turned grow, and no longer fit",
        f"up to {LARGEST_ROTATION:g} degrees, or a detector of oriented boxes",
        "set training.augmentation.rotate, or choose configs/detectors/rotated_rtmdet_tiny.py",
    )


def _set_layers(model: ConfigDict, detector: DetectorConfig) -> None:
    """Padding and activation of backbone, neck and head. Raises ConfigError."""
    settings = {}
    if detector.padding == "tf":
        settings["conv_cfg"] = dict(type="Conv2dSame")
        model.backbone.type = WITH_STEM.get(model.backbone.type, model.backbone.type)
    if detector.activation != "config":
        settings["act_cfg"] = dict(type=ACTIVATIONS[detector.activation])
    for part in filter(None, (model.backbone, model.get("neck"), model.bbox_head)):
        for name, value in settings.items():
            if not _takes(part.type, name):
                raise ConfigError(
                    f"{part.type} has no {name}",
                    "a backbone, neck and head that let their convolutions and activations be set",
                    "leave detector.padding and detector.activation at their defaults, or choose "
                    "another detector.config",
                )
            part[name] = value


def _use_batch_norms_of_one_process(node: Any) -> None:
    """SyncBN → BN, in place: PyTorch's SyncBN wants a GPU, even in one process."""
    if isinstance(node, dict):
        if node.get("type") == "SyncBN":
            node["type"] = "BN"
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            _use_batch_norms_of_one_process(child)


def _takes(kind: str, name: str) -> bool:
    """Whether a class of mmdet, or a base that it hands further arguments to, has this argument."""
    found = MODELS.get(kind)
    if found is None:  # mmdet will say so better
        return True
    return any(name in inspect.signature(each.__init__).parameters for each in found.mro())


def _set_data(cfg: Config, detector: DetectorConfig, training: Training, data: DataPaths) -> None:
    metainfo = dict(classes=data.classes)
    validation = test_pipeline(detector, border=cfg.model.bbox_head.type in ASKS_FOR_BORDER)
    workers = training.workers
    if workers is None:
        workers = default_workers() // training.processes
    loading = max(1, workers) * training.processes

    def coco(split: tuple[Path, Path], **settings: Any) -> dict[str, Any]:
        annotations, images = (str(path) for path in split)
        return dict(
            type="CocoDataset",
            data_root="",
            ann_file=annotations,
            data_prefix=dict(img=images),
            metainfo=metainfo,
            backend_args=None,
            **settings,
        )

    if training.augmentation == "config":
        _redirect(cfg.train_dataloader, coco(data.train))
    else:
        load = [
            dict(type="LoadImageFromFile", backend_args=None),
            *load_annotations(is_rotated(cfg)),
            letterbox(detector),
        ]
        cfg.train_dataloader = dict(
            sampler=dict(type="DefaultSampler", shuffle=True, seed=training.seed),
            # A last batch of one image would give batch norm a poor estimate.
            drop_last=True,
            dataset=dict(
                type="MultiImageMixDataset",
                dataset={
                    **coco(data.train, pipeline=load, filter_cfg=dict(filter_empty_gt=False)),
                    "type": "CachedCocoDataset",
                    "cache_bytes": CACHE_BYTES // loading,
                },
                pipeline=train_pipeline(detector, training.augmentation),
            ),
        )
    cfg.train_dataloader.batch_size = training.batch_size // training.ranks
    cfg.val_dataloader = dict(
        batch_size=training.batch_size // training.ranks,
        drop_last=False,
        sampler=dict(type="DefaultSampler", shuffle=False),
        dataset=coco(data.val, pipeline=validation, test_mode=True),
    )
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers = workers
        loader.persistent_workers = workers > 0
    cfg.test_dataloader, cfg.test_pipeline = cfg.val_dataloader, validation
    cfg.val_evaluator = cfg.test_evaluator = (
        dict(type="OrientedCocoMetric", ann_file=str(data.val[0]))
        if is_rotated(cfg)
        else dict(type="CocoMetric", ann_file=str(data.val[0]), metric="bbox", classwise=False)
    )


def default_workers() -> int:
    """Processes that load images: half the cores less one, at most 8."""
    return max(0, min(8, cores() // 2 - 1))


def _redirect(node: Any, target: dict[str, Any]) -> None:
    """Point every innermost data set below ``node`` at ``target``; pipelines stay."""
    if isinstance(node, dict):
        if "ann_file" in node:
            kept = {k: node[k] for k in ("pipeline", "filter_cfg") if k in node}
            node.clear()
            node.update({**target, **kept})
            return
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            _redirect(child, target)
