"""``python -m mmdet2tflite.cli``: the command ``mmdet2tflite``."""

from mmdet2tflite.cli.main import main

main()
