"""YOLOX-nano (0.9 M parameters, depthwise): mmdet's own config without its multi-scale resizing.

The network is made for one input size, so it is trained at that size. Data set, classes, input
size, schedule and augmentation come from the experiment.
"""

_base_ = "mmdet::yolox/yolox_nano_8xb8-300e_coco.py"

model = dict(data_preprocessor=dict(batch_augments=None))
