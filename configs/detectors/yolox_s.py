"""YOLOX-s (9.0 M parameters): mmdet's own config without its multi-scale resizing.

The network is made for one input size, so it is trained at that size. Data set, classes, input
size, schedule and augmentation come from the experiment.
"""

_base_ = "mmdet::yolox/yolox_s_8xb8-300e_coco.py"

model = dict(data_preprocessor=dict(batch_augments=None))
