"""Two models on the same images: how much their tensors and detections differ."""
