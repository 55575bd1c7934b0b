"""A narrow rotated RTMDet (2.2 M parameters): two thirds of the channels of RTMDet-tiny.

Weights to start from are named by the experiment (`training.checkpoint`), as are data set, classes,
input size, schedule and augmentation.
"""

_base_ = "rotated_rtmdet_tiny.py"

model = dict(
    backbone=dict(widen_factor=0.25),
    neck=dict(in_channels=[64, 128, 256], out_channels=64),
    bbox_head=dict(in_channels=64, feat_channels=64),
)
