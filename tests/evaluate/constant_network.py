"""A network that sees one box in every image, because its weights are zero; and its data."""

import json
from math import log

import cv2
import numpy as np

from mmdet2tflite.artifacts import Dataset, OnnxModel, Split, TfliteModel
from mmdet2tflite.config.experiment import Evaluation, Latency
from mmdet2tflite.passport import Head, Preprocessing, Tensor, TfliteOutput

SIDE = 32
BOX = [8, 8, 16, 16]
CERTAIN = 20.0
"""A logit whose sigmoid is 1 - 2e-9."""

HEAD = Head(
    family="yolox",
    classes=("cat", "dog"),
    strides=(32,),
    score_threshold=0.01,
    nms_iou=0.65,
    max_detections=100,
)
PREPROCESSING = Preprocessing(width=SIDE, height=SIDE)
CHANNELS = {"cls_32": 2, "box_32": 4, "obj_32": 1}
QUICK = Evaluation(parity_images=2, resamples=20, latency=Latency(warmup=1, runs=3, threads=(1,)))


def constant_network(label=0, shift=0.0):
    """One cell of stride 32: centre (0.5 + shift) * 32, size exp(ln 0.5) * 32 = 16."""

    def constant(*bias):
        return np.zeros((len(bias), 3, SIDE, SIDE)), np.array(bias)

    classes = [-CERTAIN, -CERTAIN]
    classes[label] = CERTAIN
    return {
        "cls_32": constant(*classes),
        "box_32": constant(0.5 + shift, 0.5, log(0.5), log(0.5)),
        "obj_32": constant(CERTAIN),
    }


def write_data(folder, images=3):
    """Images that hold one cat each, at BOX."""
    ids = range(1, images + 1)
    for i in ids:
        cv2.imwrite(str(folder / f"{i}.png"), np.full((SIDE, SIDE, 3), i, np.uint8))
    coco = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": SIDE, "height": SIDE} for i in ids],
        "categories": [{"id": i, "name": name} for i, name in enumerate(HEAD.classes)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 0, "bbox": BOX, "area": 256, "iscrowd": 0}
            for i in ids
        ],
    }
    (folder / "val.json").write_text(json.dumps(coco))
    split = Split(
        annotations="val.json", image_root="", images=images, boxes=images, images_digest=""
    )
    return Dataset(classes=HEAD.classes, train=split, val=split)


def onnx_model(write_onnx, folder, **network):
    write_onnx(folder / "model.onnx", (1, 3, SIDE, SIDE), constant_network(**network), ["Pad"])
    outputs = tuple(Tensor(name=name, shape=(1, n, 1, 1)) for name, n in CHANNELS.items())
    return OnnxModel(head=HEAD, preprocessing=PREPROCESSING, outputs=outputs, opset=13)


def tflite_model(write_tflite, folder, **network):
    write_tflite(folder / "model.tflite", (1, 3, SIDE, SIDE), constant_network(**network))
    outputs = tuple(TfliteOutput(name=name, shape=(1, 1, 1, n)) for name, n in CHANNELS.items())
    return TfliteModel(
        head=HEAD,
        preprocessing=PREPROCESSING,
        outputs=outputs,
        strategy="mirror",
        exact=True,
        converter="onnx2tf",
        precision="float32",
    )
