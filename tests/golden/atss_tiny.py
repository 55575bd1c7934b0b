"""ATSS, as small as it gets: a detector that is cut where its own deploy config says."""

_base_ = "mmdet::atss/atss_r50_fpn_1x_coco.py"

model = dict(
    backbone=dict(depth=18, base_channels=8, init_cfg=None),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
    bbox_head=dict(in_channels=16, feat_channels=16, stacked_convs=1, norm_cfg=dict(type="BN")),
    test_cfg=dict(nms_pre=-1),  # no selection inside the graph
)
