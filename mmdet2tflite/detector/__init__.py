"""Training, export and marks: all that imports mmdet, in child processes only."""
