"""Builds the complete mmdet config of a run. Imported in child processes only.

An ordinary mmdet config file gives the network; the experiment gives data, classes, input size,
schedule and augmentation. What the experiment leaves to the file (``config``) is not touched.
"""

import os
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from mmdet2tflite.artifacts import Family, Frozen, Head, Preprocessing
from mmdet2tflite.config import Augmentation, Detector, Training
from mmdet2tflite.errors import ConfigError, ModelError

PAD_VALUE = 114.0
FINAL_LEARNING_RATE = 0.05  # of the initial one, as in YOLOX
MAX_DETECTIONS = 100  # what COCO's mAP looks at, where the config sets no limit

FAMILIES: dict[str, Family] = {"YOLOXHead": "yolox"}
"""mmdet's name of the head → the decoder that understands its maps."""


class DataPaths(Frozen):
    """A checked data set as absolute paths: COCO json and image folder of each split."""

    classes: tuple[str, ...]
    train: tuple[Path, Path]
    val: tuple[Path, Path]


def build_config(detector: Detector, training: Training, data: DataPaths, work_dir: Path) -> Config:
    """The mmdet config of a training run, ready for ``Runner.from_cfg``.

    Raises:
        ConfigError: the file is missing, no mmdet config, or of an unknown detector family.
    """
    cfg = read_config(detector.config)
    head_of(cfg.model).num_classes = len(data.classes)
    cfg.work_dir = str(work_dir)
    cfg.default_scope = "mmdet"
    cfg.load_from, cfg.resume = None, False
    cfg.randomness = dict(seed=training.seed)
    _set_data(cfg, detector, training, data)
    _set_schedule(cfg, training)
    _set_hooks(cfg, training)
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
    head_of(cfg.model)
    return cfg


def head_of(model: ConfigDict) -> ConfigDict:
    """The bbox_head's config. Raises ConfigError for a head that no decoder understands."""
    head = model.get("bbox_head") or {}
    if head.get("type") not in FAMILIES:
        raise ConfigError(
            f"the detector's bbox_head is {head.get('type')}",
            f"one of {', '.join(sorted(FAMILIES))}",
            "choose a detector config of a known family",
        )
    return head


def describe_head(cfg: Config, classes: tuple[str, ...]) -> Head:
    """What a decoder must know of this network; thresholds are those of the config's test_cfg."""
    head, test = head_of(cfg.model), cfg.model.test_cfg
    strides = head.get("strides") or (8, 16, 32)
    return Head(
        family=FAMILIES[head.type],
        classes=classes,
        strides=tuple(strides),
        score_threshold=test.score_thr,
        nms_iou=test.nms.iou_threshold,
        max_detections=test.get("max_per_img", MAX_DETECTIONS),
    )


def describe_preprocessing(detector: Detector, cfg: Config) -> Preprocessing:
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


def letterbox(detector: Detector) -> dict[str, Any]:
    """mmdet's transform that our decoder's ``letterbox`` equals."""
    width, height = detector.input_size
    fill = dict(img=(PAD_VALUE,) * 3)
    return dict(type="FixShapeResize", width=width, height=height, keep_ratio=True, pad_val=fill)


def test_pipeline(detector: Detector) -> list[dict[str, Any]]:
    """Image file → input tensor, as at validation."""
    keys = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")
    return [
        dict(type="LoadImageFromFile", backend_args=None),
        letterbox(detector),
        dict(type="LoadAnnotations", with_bbox=True),
        dict(type="PackDetInputs", meta_keys=keys),
    ]


def train_pipeline(detector: Detector, settings: Augmentation) -> list[dict[str, Any]]:
    """Augmentation that gives the same canvas with mosaic on and off."""
    canvas = detector.input_size
    steps = [dict(type="Mosaic", img_scale=canvas, pad_val=PAD_VALUE)] if settings.mosaic else []
    # Images arrive letterboxed; CanvasAffine finds out by itself whether mosaic doubled the canvas.
    steps.append(
        dict(
            type="CanvasAffine",
            canvas=canvas,
            max_rotate_degree=settings.rotate,
            max_translate_ratio=settings.translate,
            scaling_ratio_range=settings.scale,
            max_shear_degree=settings.shear,
        )
    )
    if settings.hsv:
        steps.append(dict(type="YOLOXHSVRandomAug"))
    if settings.flip:
        steps.append(dict(type="RandomFlip", prob=settings.flip))
    side = settings.smallest_box
    steps.append(dict(type="FilterAnnotations", min_gt_bbox_wh=(side, side), keep_empty=False))
    return [*steps, dict(type="PackDetInputs")]


def _set_data(cfg: Config, detector: Detector, training: Training, data: DataPaths) -> None:
    metainfo = dict(classes=data.classes)

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
            dict(type="LoadAnnotations", with_bbox=True),
            letterbox(detector),
        ]
        cfg.train_dataloader = dict(
            sampler=dict(type="DefaultSampler", shuffle=True),
            # A last batch of one image would give batch norm a poor estimate.
            drop_last=True,
            dataset=dict(
                type="MultiImageMixDataset",
                dataset=coco(data.train, pipeline=load, filter_cfg=dict(filter_empty_gt=False)),
                pipeline=train_pipeline(detector, training.augmentation),
            ),
        )
    cfg.train_dataloader.batch_size = training.batch_size
    cfg.val_dataloader = dict(
        batch_size=training.batch_size,
        drop_last=False,
        sampler=dict(type="DefaultSampler", shuffle=False),
        dataset=coco(data.val, pipeline=test_pipeline(detector), test_mode=True),
    )
    workers = default_workers() if training.workers is None else training.workers
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers = workers
        loader.persistent_workers = workers > 0
    cfg.test_dataloader, cfg.test_pipeline = cfg.val_dataloader, test_pipeline(detector)
    cfg.val_evaluator = cfg.test_evaluator = dict(
        type="CocoMetric", ann_file=str(data.val[0]), metric="bbox", classwise=False
    )


def default_workers() -> int:
    """Processes that load images: half the cores less one, at most 8."""
    return max(0, min(8, (os.cpu_count() or 1) // 2 - 1))


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


def _set_schedule(cfg: Config, training: Training) -> None:
    cfg.train_cfg = dict(
        type="EpochBasedTrainLoop",
        max_epochs=training.epochs,
        val_interval=training.val_interval,
    )
    cfg.val_cfg, cfg.test_cfg = dict(type="ValLoop"), dict(type="TestLoop")
    cfg.pop("auto_scale_lr", None)
    if training.optimizer == "config":
        return
    rate, decay = training.learning_rate, training.weight_decay
    optimizers = {
        "adamw": dict(type="AdamW", lr=rate, weight_decay=decay),
        "sgd": dict(type="SGD", lr=rate, weight_decay=decay, momentum=0.9, nesterov=True),
    }
    cfg.optim_wrapper = ConfigDict(
        type="OptimWrapper",
        optimizer=optimizers[training.optimizer],
        paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
    )
    cfg.param_scheduler = [
        dict(
            type="LinearLR",
            start_factor=0.01,
            by_epoch=False,
            begin=0,
            end=max(1, training.warmup_iterations),
        ),
        dict(
            type="CosineAnnealingLR",
            eta_min=rate * FINAL_LEARNING_RATE,
            by_epoch=True,
            begin=0,
            T_max=training.epochs,
            end=training.epochs,
            convert_to_iter_based=True,
        ),
    ]


def _set_hooks(cfg: Config, training: Training) -> None:
    cfg.default_hooks = dict(
        timer=dict(type="IterTimerHook"),
        logger=dict(type="LoggerHook", interval=10),
        param_scheduler=dict(type="ParamSchedulerHook"),
        # Two: mmengine deletes the oldest before it writes the newest.
        checkpoint=dict(type="CheckpointHook", interval=training.save_interval, max_keep_ckpts=2),
        sampler_seed=dict(type="DistSamplerSeedHook"),
    )
    hooks = list(cfg.get("custom_hooks") or [])
    if training.augmentation != "config":
        hooks = [
            dict(
                type="EMAHook",
                ema_type="ExpMomentumEMA",
                momentum=training.ema_momentum,
                update_buffers=True,
                priority=49,
            )
        ]
        # Switches YOLOX's L1 loss on together with whole images; without mosaic that is throughout.
        settings = training.augmentation
        hooks.append(
            dict(
                type="YOLOXModeSwitchHook",
                num_last_epochs=settings.plain_epochs if settings.mosaic else training.epochs,
                skip_type_keys=("Mosaic",),
                priority=48,
            )
        )
    cfg.custom_hooks = [*hooks, dict(type="RunRecorder", priority="VERY_HIGH")]
    cfg.visualizer = dict(type="DetLocalVisualizer", vis_backends=[])


def check_classes(found: tuple[str, ...] | None, expected: tuple[str, ...], path: Path) -> None:
    """Raise ModelError unless a checkpoint was made for these classes."""
    if found is not None and found != expected:
        raise ModelError(
            f"{path} was trained for {len(found)} classes: {', '.join(found[:8])}",
            f"the {len(expected)} classes of the data set: {', '.join(expected[:8])}",
            "choose a checkpoint of this data set, or set training.checkpoint=null",
        )
