"""What every deploy config shares. Input size and opset come from the experiment.

mmdeploy marks borders of functions (`Mark` nodes; `mmdet2tflite marks` lists them). A deploy
config names the two where the graph is cut (`partition_config`), and what comes out there
(`output_meaning`): docs/detectors.md.
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
partition_config = dict(type="before_decoding", apply_marks=True)
