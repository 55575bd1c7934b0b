"""Networks of the whole world, converted by plain onnx2tf and by this project (docs/zoo.md)."""
