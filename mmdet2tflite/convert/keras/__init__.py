"""ONNX → Keras, for training in TensorFlow."""
