"""Which data set lies in a folder: for ``mmdet2tflite init``."""
