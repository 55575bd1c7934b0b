"""The table of mmdet's one-stage heads: configs of its wheel, and what is changed in them."""

from dataclasses import dataclass, field
from typing import Any

from benchmarks.zoo.specimen import USUAL_SIZE, Size, Specimen

RESNET_18 = {
    "backbone.depth": 18,
    "backbone.style": "pytorch",
    "backbone.norm_cfg": {"type": "BN", "requires_grad": True},
    "neck.in_channels": [64, 128, 256, 512],
}
"""In place of ResNet-50: the heads are what differs, and files of 145 MB cost time."""


@dataclass(frozen=True)
class MmdetNetwork:
    """A config of the wheel, ``FOLDER/FILE``.

    Args:
        config: as ``mmdet::`` finds it, without the ending.
        changes: of the model's section, by dotted key.
        size: of the image.
    """

    config: str
    changes: dict[str, Any] = field(default_factory=dict)
    size: Size = USUAL_SIZE


# Heads with deformable convolutions (DDOD, NAS-FCOS, RepPoints, TOOD, VFNet) need a compiled mmcv.
NETWORKS: dict[str, MmdetNetwork] = {
    "atss_r50": MmdetNetwork("atss/atss_r50_fpn_1x_coco"),
    "autoassign_r18": MmdetNetwork("autoassign/autoassign_r50-caffe_fpn_1x_coco", RESNET_18),
    "centernet_r18": MmdetNetwork("centernet/centernet_r18_8xb16-crop512-140e_coco"),
    "centernet-update_r18": MmdetNetwork(
        "centernet/centernet-update_r18_fpn_8xb8-amp-lsj-200e_coco"
    ),
    "efficientdet-like_effb3": MmdetNetwork(
        "efficientnet/retinanet_effb3_fpn_8xb4-crop896-1x_coco"
    ),
    "fcos_hrnet": MmdetNetwork("hrnet/fcos_hrnetv2p-w18-gn-head_4xb4-1x_coco"),
    "fcos_r50": MmdetNetwork("fcos/fcos_r50-caffe_fpn_gn-head_4xb4-1x_coco"),
    "fcos_center_r18": MmdetNetwork(
        "fcos/fcos_r18_fpn_gn-head-center-normbbox-centeronreg-giou_8xb8-amp-lsj-200e_coco"
    ),
    "foveabox_r18": MmdetNetwork("foveabox/fovea_r50_fpn_4xb4-1x_coco", RESNET_18),
    "free_anchor_r18": MmdetNetwork("free_anchor/freeanchor_r50_fpn_1x_coco", RESNET_18),
    "fsaf_r18": MmdetNetwork("fsaf/fsaf_r50_fpn_1x_coco", RESNET_18),
    "gfl_r50": MmdetNetwork("gfl/gfl_r50_fpn_1x_coco"),
    "ghm_r18": MmdetNetwork("ghm/retinanet_r50_fpn_ghm-1x_coco", RESNET_18),
    "ld_r18": MmdetNetwork("ld/ld_r18-gflv1-r101_fpn_1x_coco", {"type": "GFL"}),
    "nas_fpn_r18": MmdetNetwork(
        "nas_fpn/retinanet_r50_nasfpn_crop640-50e_coco", RESNET_18, (128, 128)
    ),
    "fpg_r18": MmdetNetwork("fpg/retinanet_r50_fpg-chn128_crop640_50e_coco", RESNET_18, (128, 128)),
    "paa_r18": MmdetNetwork("paa/paa_r50_fpn_1x_coco", RESNET_18),
    "pvt_t": MmdetNetwork("pvt/retinanet_pvt-t_fpn_1x_coco"),
    "pvtv2_b0": MmdetNetwork("pvt/retinanet_pvtv2-b0_fpn_1x_coco"),
    "regnet_800mf": MmdetNetwork("regnet/retinanet_regnetx-800MF_fpn_1x_coco"),
    "retinanet_r18": MmdetNetwork("retinanet/retinanet_r18_fpn_1x_coco"),
    "retinanet_r50": MmdetNetwork("retinanet/retinanet_r50_fpn_1x_coco"),
    "rpn_r18": MmdetNetwork("rpn/rpn_r50_fpn_1x_coco", RESNET_18),
    "rtmdet_tiny": MmdetNetwork("rtmdet/rtmdet_tiny_8xb32-300e_coco"),
    "rtmdet-ins_tiny": MmdetNetwork("rtmdet/rtmdet-ins_tiny_8xb32-300e_coco"),
    "sabl_retinanet_r18": MmdetNetwork("sabl/sabl-retinanet_r50_fpn_1x_coco", RESNET_18),
    "solo_r18": MmdetNetwork("solo/solo_r18_fpn_8xb8-lsj-200e_coco"),
    "decoupled_solo_r18": MmdetNetwork("solo/decoupled-solo-light_r50_fpn_3x_coco", RESNET_18),
    "solov2_light_r18": MmdetNetwork("solov2/solov2-light_r18_fpn_ms-3x_coco"),
    "ssd300_vgg16": MmdetNetwork("ssd/ssd300_coco", size=(300, 300)),
    "ssdlite_mobilenetv2": MmdetNetwork(
        "ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco", size=(320, 320)
    ),
    "swin_t": MmdetNetwork("swin/retinanet_swin-t-p4-w7_fpn_1x_coco"),
    "yolact_r50": MmdetNetwork("yolact/yolact_r50_1xb8-55e_coco", size=(138, 138)),
    "yolof_r50": MmdetNetwork("yolof/yolof_r50-c5_8xb8-1x_coco"),
    "yolov3_d53": MmdetNetwork("yolo/yolov3_d53_8xb8-320-273e_coco"),
    "yolov3_mobilenetv2": MmdetNetwork("yolo/yolov3_mobilenetv2_8xb24-320-300e_coco"),
    "yolox_nano": MmdetNetwork("yolox/yolox_nano_8xb8-300e_coco"),
    "yolox_tiny": MmdetNetwork("yolox/yolox_tiny_8xb8-300e_coco"),
}

MMDET = tuple(
    Specimen("mmdet", name, name.split("_")[0], network.size) for name, network in NETWORKS.items()
)
