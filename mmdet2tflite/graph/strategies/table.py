"""The padding strategies. A new one is one file here and one line below."""

from mmdet2tflite.graph.rewriting import Strategy
from mmdet2tflite.graph.strategies import (
    auto,
    engine,
    explicit,
    force_same,
    mirror,
    tf_train,
    widen,
)

STRATEGIES: dict[str, Strategy] = {
    "explicit": Strategy(explicit.rewrite, exact=True, summary="PAD operators stay"),
    "mirror": Strategy(
        mirror.rewrite, exact=True, summary="turned round by 180°; reverses its input and outputs"
    ),
    "mirror_rotated": Strategy(
        mirror.rewrite_rotated,
        exact=True,
        upright=False,
        summary="turned round by 180°; takes and gives rotated maps",
    ),
    "widen": Strategy(widen.rewrite, exact=True, summary="kernels enlarged with zeros"),
    "tf_train": Strategy(
        tf_train.rewrite, exact=True, summary="for a network trained with TensorFlow's padding"
    ),
    "engine": Strategy(
        engine.rewrite, exact=False, summary="SAME, the true pads in the metadata for own engines"
    ),
    "force_same": Strategy(
        force_same.rewrite, exact=False, summary="SAME everywhere: wrong numbers, for measuring"
    ),
    "auto": Strategy(auto.rewrite, exact=True, summary="the cheapest exact one"),
}
