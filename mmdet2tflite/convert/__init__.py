"""ONNX → TFLite: converters, what they leave to finish, and the check of the result."""
