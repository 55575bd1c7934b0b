"""Cut RTMDet before its decoding: 6 maps, (cls, box) x strides (8, 16, 32).

Input size and opset come from the experiment. mmdeploy marks the borders of its functions
(`Mark` nodes); `start` and `end` name the two where the graph is cut.
"""

onnx_config = dict(
    type="onnx",
    export_params=True,
    keep_initializers_as_inputs=False,
    save_file="end2end.onnx",
    input_names=["input"],
    output_names=["dets", "labels"],
)
codebase_config = dict(
    type="mmdet",
    task="ObjectDetection",
    model_type="end2end",
    # Traced, then cut off: the values do not matter.
    post_processing=dict(
        score_threshold=0.05,
        confidence_threshold=0.005,
        iou_threshold=0.5,
        max_output_boxes_per_class=200,
        pre_top_k=5000,
        keep_top_k=100,
        background_label_id=-1,
    ),
)
backend_config = dict(type="onnxruntime")
partition_config = dict(
    type="before_decoding",
    apply_marks=True,
    partition_cfg=[
        dict(start=["detector_forward:input"], end=["rtmdet_head:output"]),
    ],
)
# Name that mmdeploy gives to a list of maps, one per stride → its meaning for the decoder. At an
# "output" it numbers what the function returned: the list of class maps, then that of box maps.
output_meaning = {"rtmdet_head.0": "cls", "rtmdet_head.1": "box"}
