"""What training and validation do to an image, as mmdet's transforms."""

from typing import Any

from mmdet2tflite.config.experiment import Augmentation, DetectorConfig

PAD_VALUE = 114.0


def letterbox(detector: DetectorConfig) -> dict[str, Any]:
    """mmdet's transform that our decoder's ``letterbox`` equals."""
    width, height = detector.input_size
    fill = dict(img=(PAD_VALUE,) * 3)
    return dict(type="FixShapeResize", width=width, height=height, keep_ratio=True, pad_val=fill)


def load_annotations(oriented: bool) -> list[dict[str, Any]]:
    """The boxes of an image, oriented ones from their corners (``segmentation`` in COCO's form)."""
    if not oriented:
        return [dict(type="LoadAnnotations", with_bbox=True)]
    return [
        dict(type="LoadAnnotations", with_bbox=True, with_mask=True, poly2mask=False),
        dict(type="ConvertMask2BoxType", box_type="rbox"),
    ]


def test_pipeline(detector: DetectorConfig, border: bool) -> list[dict[str, Any]]:
    """Image file → input tensor, as at validation; ``border``: with the place of the picture."""
    keys: tuple[str, ...] = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")
    if border:
        keys += ("border",)
    return [
        dict(type="LoadImageFromFile", backend_args=None),
        letterbox(detector),
        *([dict(type="LetterboxBorder")] if border else []),
        dict(type="LoadAnnotations", with_bbox=True),
        dict(type="PackDetInputs", meta_keys=keys),
    ]


def train_pipeline(detector: DetectorConfig, settings: Augmentation) -> list[dict[str, Any]]:
    """Augmentation that gives the same canvas with mosaic on and off."""
    canvas = detector.input_size
    steps = [dict(type="Mosaic", img_scale=canvas, pad_val=PAD_VALUE)] if settings.mosaic else []
    # Images arrive letterboxed; CanvasAffine finds out by itself whether mosaic doubled the canvas.
    steps.append(
        dict(
            type="CanvasAffine",
            canvas=canvas,
            max_rotate_degree=settings.rotate,
            max_translate_ratio=settings.translate,
            scaling_ratio_range=settings.scale,
            max_shear_degree=settings.shear,
        )
    )
    if settings.hsv:
        steps.append(dict(type="YOLOXHSVRandomAug"))
    if settings.flip:
        steps.append(dict(type="RandomFlip", prob=settings.flip))
    side = settings.smallest_box
    steps.append(dict(type="FilterAnnotations", min_gt_bbox_wh=(side, side), keep_empty=False))
    return [*steps, dict(type="PackDetInputs")]
