"""RTMDet, a third as wide as its smallest: what the tests' rtmdet_narrow_digits.pth fits.

Trained on the built-in digits at 128 x 96.
"""

_base_ = "../../configs/detectors/rtmdet_tiny.py"

model = dict(
    backbone=dict(widen_factor=0.125),
    neck=dict(in_channels=[32, 64, 128], out_channels=32),
    bbox_head=dict(in_channels=32, feat_channels=32),
)
