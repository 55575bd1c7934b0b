"""``mmdet2tflite convert``: one ONNX file, tried, checked and quantised without an experiment."""
