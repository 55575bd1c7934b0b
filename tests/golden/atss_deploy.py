"""An own cut: ATSS, which has no decoder here, after its boxes and before its suppression."""

_base_ = "../../configs/deploy/base.py"

partition_config = dict(
    partition_cfg=[dict(start=["detector_forward:input"], end=["multiclass_nms:input"])],
)
output_meaning = dict(boxes="boxes", scores="scores")
