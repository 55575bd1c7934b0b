"""What a user ships: this package and those that it imports run a TFLite file on an image."""

from mmdet2tflite.runtime.detector import Detector, NamedDetections

__all__ = ["Detector", "NamedDetections"]
