"""RTMDet-s (8.9 M parameters): mmdet's own config, its backbone not from the Internet.

Weights to start from are named by the experiment (`training.checkpoint`), as are data set, classes,
input size, schedule and augmentation.
"""

_base_ = "mmdet::rtmdet/rtmdet_s_8xb32-300e_coco.py"

model = dict(
    backbone=dict(
        # What CSPNeXt does without `init_cfg`; `None` would be no initialisation at all.
        init_cfg=dict(
            _delete_=True,
            type="Kaiming",
            layer="Conv2d",
            a=5**0.5,
            distribution="uniform",
            mode="fan_in",
            nonlinearity="leaky_relu",
        )
    )
)
