"""From a data set to a detector in TensorFlow Lite that still sees what it saw in PyTorch."""

__version__ = "0.1.0"
