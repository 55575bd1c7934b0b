"""Optimizer, learning rate and hooks of a training run, as mmengine's config."""

from mmengine.config import Config, ConfigDict

from mmdet2tflite.config.experiment import Training

FINAL_LEARNING_RATE = 0.05  # of the initial one, as in YOLOX


def set_schedule(cfg: Config, training: Training) -> None:
    """Epochs, optimizer and learning rate, in place; ``config`` keeps the file's optimizer."""
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
        "adamw": dict(type="AdamW", lr=rate, weight_decay=decay, fused=True),
        "sgd": dict(
            type="SGD", lr=rate, weight_decay=decay, momentum=0.9, nesterov=True, fused=True
        ),
    }
    cfg.optim_wrapper = ConfigDict(
        type="OptimWrapper",
        constructor="GroupedOptimWrapperConstructor",
        optimizer=optimizers[training.optimizer],
        # RTMDet's head shares its convolutions between the maps.
        paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0, bypass_duplicate=True),
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


def set_hooks(cfg: Config, training: Training) -> None:
    """Checkpoints, EMA, the switch to whole images and our recorder, in place."""
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
    hooks.append(dict(type="RunRecorder", priority="VERY_HIGH"))
    if training.patience is not None or training.minutes is not None:
        # After the recorder, whose curve it reads, and before the checkpoint that keeps its clock.
        limits = dict(patience=training.patience, minutes=training.minutes)
        hooks.append(dict(type="EarlyEnd", priority="HIGH", **limits))
    cfg.custom_hooks = hooks
    cfg.visualizer = dict(type="DetLocalVisualizer", vis_backends=[])
