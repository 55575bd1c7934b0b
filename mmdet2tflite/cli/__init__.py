"""The command ``mmdet2tflite``."""
