"""Cut YOLOX before its decoding: 9 maps, (cls, box, obj) x strides (8, 16, 32)."""

_base_ = "base.py"

partition_config = dict(
    partition_cfg=[
        dict(start=["detector_forward:input"], end=["yolo_head:input"]),
    ],
)
# Name that mmdeploy gives to a list of maps, one per stride → its meaning for the decoder.
output_meaning = dict(cls_scores="cls", bbox_preds="box", objectnesses="obj")
