"""Whether a network can become a detector here, asked before its training. Children only."""

import json
from pathlib import Path

import torch
from mmengine.config import Config

from mmdet2tflite.detector.compat import NoCompiledOperator
from mmdet2tflite.detector.scope import is_rotated
from mmdet2tflite.detector.start_weights import build_network
from mmdet2tflite.detector.torch_runner import named_maps
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode import FAMILIES, decode


def check_network(cfg: Config, head: Head, preprocessing: Preprocessing) -> None:
    """Run the network once, with random weights on an empty image, and decode what comes out.

    Raises:
        ConfigError: the network calls an operator that TFLite has not.
        ModelError: the maps are not those that the head's decoder reads.
    """
    network = build_network(cfg).eval()
    try:
        with torch.inference_mode():
            maps = network(torch.zeros(1, 3, preprocessing.height, preprocessing.width))
    except NoCompiledOperator as error:
        raise ConfigError(
            f"the detector, a {cfg.model.type} with the head {cfg.model.bbox_head.type}, calls "
            f"mmcv.ops.{error.operator}, a compiled operator that TFLite has not",
            "a network of convolutions, poolings and the like",
            "choose a detector.config without it, such as one without dcn (deformable "
            "convolutions) in backbone, neck and head",
        ) from error
    if head.family is not None:
        named = named_maps(head, FAMILIES[head.family].maps, maps)
        decode(named, head, preprocessing, scale_factor=1.0)


def check_boxes(cfg: Config, annotations: Path) -> None:
    """A detector of oriented boxes needs a data set of them. Raises ConfigError."""
    if not is_rotated(cfg):
        return
    boxes = json.loads(annotations.read_text(encoding="utf-8"))["annotations"]
    upright = sum("segmentation" not in box for box in boxes)
    if upright:
        raise ConfigError(
            f"{cfg.model.bbox_head.type} finds oriented boxes, and {upright} of the {len(boxes)} "
            "boxes of the data set are upright",
            "oriented boxes: a data set of the kind dota or rotated_digits, or of the kind coco "
            "with oriented: true",
            "choose another dataset, or another detector.config",
        )
