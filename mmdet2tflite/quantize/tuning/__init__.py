"""Fine-tuning of an int8 TFLite file, with its own integers in the forward pass."""
