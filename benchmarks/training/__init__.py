"""The speed of training against mmdet's own script."""
