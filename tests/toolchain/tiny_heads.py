"""A network of every family of heads, as small as mmdet's configs can be made; seeded weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.toolchain.golden import SIZE

CLASSES = 10  # of the built-in digits

RESNET = {
    "backbone": {"depth": 18, "base_channels": 8, "init_cfg": None, "norm_eval": False},
    "neck": {"in_channels": [8, 16, 32, 64], "out_channels": 16},
    "bbox_head": {"in_channels": 16, "feat_channels": 16, "stacked_convs": 1},
}
BATCH_NORM = {"type": "BN"}
NARROW_RTMDET = {
    "backbone": {"widen_factor": 0.125, "init_cfg": None, "norm_cfg": BATCH_NORM},
    "neck": {"in_channels": [32, 64, 128], "out_channels": 16, "norm_cfg": BATCH_NORM},
    "bbox_head": {"in_channels": 16, "feat_channels": 16, "norm_cfg": BATCH_NORM},
}
MOBILENET = {
    "backbone": {"widen_factor": 0.25, "init_cfg": None},
}


@dataclass(frozen=True)
class Tiny:
    """``base`` is mmdet's config, or mmrotate's, ``model`` what is smaller than there.

    ``threshold``: of scores, so that hundreds of the random network's boxes are candidates.
    """

    base: str
    model: dict[str, Any]
    threshold: float


def _grouped(groups: int = 4) -> dict[str, Any]:
    """A head with group norms, which are of 32 groups in mmdet's."""
    norm = {"type": "GN", "num_groups": groups, "requires_grad": True}
    return RESNET | {"bbox_head": {**RESNET["bbox_head"], "norm_cfg": norm}}


def _ssd(depthwise: bool) -> dict[str, Any]:
    widths = (24, 1280, 32, 16, 16, 16)
    strides = {"level_strides": (2, 2, 2, 2), "level_paddings": (1, 1, 1, 1)}
    neck = {
        "in_channels": widths[:2],
        "out_channels": widths,
        "use_depthwise": depthwise,
        "l2_norm_scale": None if depthwise else 4.0,
        "init_cfg": [],
    }
    return MOBILENET | {
        "neck": neck | strides,
        "bbox_head": {"in_channels": widths, "use_depthwise": depthwise},
    }


CLASS_LAYERS = ("atss_cls", "conv_cls", "gfl_cls", "retina_cls")
SSDLITE = "ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco"
TINY: dict[str, Tiny] = {
    "atss": Tiny("atss/atss_r50_fpn_1x_coco", _grouped(), 0.5),
    "centernet": Tiny(
        "centernet/centernet_r18_8xb16-crop512-140e_coco",
        {
            "backbone": RESNET["backbone"],
            "neck": {"in_channels": 64, "num_deconv_filters": (32, 16, 16)},
            "bbox_head": {"in_channels": 16, "feat_channels": 16},
        },
        0.0,
    ),
    "fcos": Tiny("fcos/fcos_r50-caffe_fpn_gn-head_1x_coco", _grouped(), 0.5),
    "foveabox": Tiny("foveabox/fovea_r50_fpn_4xb4-1x_coco", RESNET, 0.5),
    "gfl": Tiny("gfl/gfl_r50_fpn_1x_coco", _grouped(), 0.5),
    "retinanet": Tiny("retinanet/retinanet_r18_fpn_1x_coco", RESNET, 0.5),
    "rotated_rtmdet": Tiny(
        "mmrotate::rotated_rtmdet/rotated_rtmdet_tiny-3x-dota", NARROW_RTMDET, 0.5
    ),
    "ssd": Tiny(SSDLITE, _ssd(depthwise=False), 0.1),
    "ssdlite": Tiny(SSDLITE, _ssd(depthwise=True), 0.1),
    "yolof": Tiny(
        "yolof/yolof_r50-c5_8xb8-1x_coco",
        {
            "backbone": RESNET["backbone"],
            "neck": {"in_channels": 64, "out_channels": 32, "block_mid_channels": 8},
            "bbox_head": {"in_channels": 32},
        },
        0.25,
    ),
    "yolov3": Tiny(
        "yolo/yolov3_mobilenetv2_8xb24-ms-416-300e_coco",
        MOBILENET
        | {
            "neck": {"in_channels": [80, 24, 8], "out_channels": [24, 16, 8]},
            "bbox_head": {"in_channels": [24, 16, 8], "out_channels": [24, 16, 8]},
        },
        0.5,
    ),
}
"""By family; SSD's has a second one."""
WITHOUT_DECODER = {
    "paa": Tiny("paa/paa_r50_fpn_1x_coco", _grouped(), 0.5),
    "rtmdet_ins": Tiny("rtmdet/rtmdet-ins_tiny_8xb32-300e_coco", NARROW_RTMDET, 0.5),
}
"""PAA lets boxes vote, RTMDet-Ins gives masks: no decoder here does either."""


def write_config(folder: Path, name: str) -> Path:
    """The mmdet config of a tiny network."""
    tiny = (TINY | WITHOUT_DECODER)[name]
    model = tiny.model | {"test_cfg": {"score_thr": tiny.threshold, "nms_pre": 300}}
    path = folder / f"{name}_tiny.py"
    base = tiny.base if "::" in tiny.base else f"mmdet::{tiny.base}"
    path.write_text(f'_base_ = "{base}.py"\n\nmodel = {model!r}\n', encoding="utf-8")
    return path


def seeded_model(config: Path, seed: int = 0, classes: int = CLASSES) -> Any:
    """mmdet's network with random weights whose maps are of the size that trained ones have.

    Convolutions keep the variance of what they are given, batch norms have the statistics of four
    random images.
    """
    import torch
    from mmdet.registry import MODELS
    from mmengine.config import Config
    from torch import nn

    from mmdet2tflite.detector.scope import enter_scope

    cfg = Config.fromfile(str(config))
    enter_scope(cfg)
    cfg.model.bbox_head.num_classes = classes
    torch.manual_seed(seed)
    model = MODELS.build(cfg.model)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.5, 0.5)
        elif type(module).__name__ == "L2Norm":
            nn.init.constant_(module.weight, module.scale)
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches, of which there is one
            nn.init.uniform_(module.bias, -0.5, 0.5)
    model.train()
    with torch.no_grad():
        model(random_input(model, 4, seed))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Four values of a 1 x 1 map may be all alike: dividing by that would amplify noise.
            module.running_var.clamp_(min=0.25)
    model.eval()
    _spread_scores(model, random_input(model, 1, seed))
    return model


def _spread_scores(model: Any, image: Any) -> None:
    """Logits of a standard deviation of 1.5: pyramids have no norms, and all scores would be 1."""
    import torch

    layers = [getattr(model.bbox_head, name, None) for name in CLASS_LAYERS]
    with torch.no_grad():
        for layer in filter(None, layers):
            logits = torch.cat([level.flatten() for level in model(image)[0]])
            layer.weight *= 1.5 / logits.std()
            layer.bias *= 1.5 / logits.std()


def random_input(model: Any, images: int, seed: int) -> Any:
    """Blots of 0 to 255, normalised as the network wants it.

    Noise without them would teach batch norms that neighbours cancel out, and pictures' do not.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    coarse = 255 * torch.rand(images, 3, *(side // 16 for side in SIZE[::-1]), generator=generator)
    pixels = torch.nn.functional.interpolate(coarse, SIZE[::-1], mode="bilinear")
    return (pixels - model.data_preprocessor.mean) / model.data_preprocessor.std


def write_weights(config: Path, classes: int = CLASSES) -> Path:
    """A checkpoint of the seeded network, beside its config."""
    from mmdet2tflite.detector import compat

    compat.prepare()
    import torch

    path = config.with_suffix(".pth")
    torch.save({"state_dict": seeded_model(config, classes=classes).state_dict(), "meta": {}}, path)
    return path
