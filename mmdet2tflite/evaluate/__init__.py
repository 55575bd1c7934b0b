"""Accuracy, latency and mistakes of a model; what they say about promoting it."""
