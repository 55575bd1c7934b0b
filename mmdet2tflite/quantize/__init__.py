"""float32 TFLite → fewer bits: precisions, calibration, the choice of layers."""
