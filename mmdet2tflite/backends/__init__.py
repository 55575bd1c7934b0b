"""The programs that run a model, one protocol for all."""
