"""Annotated images: COCO, VOC, YOLO and the built-in digits, read and checked."""
