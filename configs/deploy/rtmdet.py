"""Cut RTMDet before its decoding: 6 maps, (cls, box) x strides (8, 16, 32)."""

_base_ = "base.py"

partition_config = dict(
    partition_cfg=[
        dict(start=["detector_forward:input"], end=["rtmdet_head:output"]),
    ],
)
# Name that mmdeploy gives to a list of maps, one per stride → its meaning for the decoder. At an
# "output" it numbers what the function returned: the list of class maps, then that of box maps.
output_meaning = {"rtmdet_head.0": "cls", "rtmdet_head.1": "box"}
