"""The ONNX graph: canonical form, padding strategies, the plan."""
