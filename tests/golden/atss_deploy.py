"""An own cut: ATSS after its boxes and before its suppression, where nothing here decodes it."""

_base_ = "../../configs/deploy/base.py"

partition_config = dict(
    partition_cfg=[dict(start=["detector_forward:input"], end=["multiclass_nms:input"])],
)
output_meaning = dict(boxes="boxes", scores="scores")
