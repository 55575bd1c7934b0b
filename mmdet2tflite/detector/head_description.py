"""What a decoder must know of a network, read from mmdet's own head. Child processes only."""

from collections.abc import Callable, Mapping
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict

from mmdet2tflite.errors import ConfigError
from mmdet2tflite.passport import Head
from mmdet2tflite.runtime.decode import FAMILIES

MAX_DETECTIONS = 100  # what COCO's mAP looks at, where the config sets no limit

FAMILY_OF_HEAD = {family.head: name for name, family in FAMILIES.items()}
"""mmdet's name of the head → the decoder that understands its maps."""

CODERS = (
    "DeltaXYWHBBoxCoder",
    "DistanceAnglePointCoder",
    "DistancePointBBoxCoder",
    "PseudoAngleCoder",
    "YOLOBBoxCoder",
)
"""Of boxes and angles, that the decoders understand."""

HEAT_MAP_STRIDE = 4
"""Of CenterNet, whose head does not know it (https://arxiv.org/abs/1904.07850, section 3)."""


def describe_head(cfg: Config, classes: tuple[str, ...]) -> Head:
    """What a decoder must know of this network; thresholds are those of the config's test_cfg.

    A head that no decoder here understands has no ``family`` and no ``strides``.

    Raises:
        ConfigError: the post-processing is one that no decoder here has.
    """
    test = cfg.model.get("test_cfg") or ConfigDict()
    family = FAMILY_OF_HEAD.get(cfg.model.bbox_head.type)
    mmdets = _build(cfg.model.bbox_head, test) if family else None
    coders = {type(getattr(mmdets, name, None)).__name__ for name in ("bbox_coder", "angle_coder")}
    if family is None or coders - {*CODERS, "NoneType"}:
        return Head(family=None, strides=(), **_limits(test, classes))
    _check_suppression(test, "nms_rotated" if FAMILIES[family].oriented else "nms")
    return Head(
        family=family,
        strides=_strides(mmdets),
        **_limits(test, classes),
        **{name: READERS[name](mmdets, test) for name in FAMILIES[family].reads},
    )


def _build(head: ConfigDict, test: ConfigDict) -> Any:
    # A copy: mmdet writes into the settings that it builds from, at every depth.
    return MODELS.build(Config(dict(head=head.to_dict() | {"test_cfg": test.to_dict()})).head)


def _limits(test: ConfigDict, classes: tuple[str, ...]) -> dict[str, Any]:
    suppression = test.get("nms")
    return {
        "classes": classes,
        "score_threshold": test.get("score_thr", 0.0),
        "nms_iou": suppression.iou_threshold if suppression else 1.0,
        "max_detections": _limit(test.get("max_per_img")) or MAX_DETECTIONS,
        "max_candidates": _limit(test.get("topk", test.get("nms_pre"))),
    }


def _limit(number: int | None) -> int | None:
    """None where mmdet's config says nothing, or -1: no limit."""
    return None if number is None or number < 0 else number


def _check_suppression(test: ConfigDict, kind: str) -> None:
    suppression = test.get("nms") or {"type": kind}
    if suppression["type"] != kind or suppression.get("class_agnostic"):
        raise ConfigError(
            f"test_cfg.nms is {dict(suppression)}",
            f"dict(type='{kind}', iou_threshold=…), which suppresses within each class",
            "set model.test_cfg.nms in the file of detector.config",
        )
    if test.get("min_bbox_size", 0) > 0:
        raise ConfigError(
            f"test_cfg.min_bbox_size is {test.min_bbox_size}",
            "0, or none: boxes of any size are found",
            "set model.test_cfg.min_bbox_size=0 in the file of detector.config",
        )


def _strides(head: Any) -> tuple[int, ...]:
    generator = getattr(head, "prior_generator", None)
    if generator is None:
        return (HEAT_MAP_STRIDE,)
    if any(x != y for x, y in generator.strides):
        raise ConfigError(
            f"the strides of {type(head).__name__} are {generator.strides}",
            "the same along height and width",
            "choose another detector.config",
        )
    return tuple(int(x) for x, _ in generator.strides)


def _anchors(head: Any, _: ConfigDict) -> tuple[Any, ...]:
    levels = head.prior_generator.base_anchors
    return tuple(tuple(tuple(anchor) for anchor in level.tolist()) for level in levels)


def _point_offset(head: Any, _: ConfigDict) -> float:
    """In strides; where the points are centres of anchors, those of the first."""
    generator = head.prior_generator
    if hasattr(generator, "offset"):
        return float(generator.offset)
    left, _, right, _ = generator.base_anchors[0][0].tolist()
    return float((left + right) / 2 / generator.strides[0][0])


def _centre_clamp(head: Any, _: ConfigDict) -> float | None:
    return float(head.bbox_coder.ctr_clamp) if head.bbox_coder.add_ctr_clamp else None


READERS: Mapping[str, Callable[[Any, ConfigDict], Any]] = {
    "anchors": _anchors,
    "angle_version": lambda head, _: head.bbox_coder.angle_version,
    "base_sizes": lambda head, _: tuple(float(side) for side in head.base_edge_list),
    "box_means": lambda head, _: tuple(float(mean) for mean in head.bbox_coder.means),
    "box_stds": lambda head, _: tuple(float(std) for std in head.bbox_coder.stds),
    "centre_clamp": _centre_clamp,
    "clip": lambda head, _: bool(head.bbox_coder.clip_border),
    "keep_empty": lambda _, test: test.get("min_bbox_size", -1) < 0,
    "objectness_threshold": lambda _, test: max(0.0, test.get("conf_thr", 0.0)),
    "peak_window": lambda _, test: test.get("local_maximum_kernel", 3),
    "point_offset": _point_offset,
    "score_function": lambda head, _: "sigmoid" if head.use_sigmoid_cls else "softmax",
}
"""Field of ``Head`` → its value, of mmdet's head and test_cfg."""
