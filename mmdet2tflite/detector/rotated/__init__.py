"""Rotated boxes in plain PyTorch: overlap, suppression, and the operators that mmcv compiles."""
