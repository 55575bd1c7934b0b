"""The padding strategies. A new one is one file here and one line below."""

from mmdet2tflite.config.names import PaddingName
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

STRATEGIES: dict[PaddingName, Strategy] = {
    "auto": Strategy(auto.rewrite, "the cheapest exact one"),
    "explicit": Strategy(explicit.rewrite, "PAD operators stay"),
    "mirror": Strategy(mirror.rewrite, "rotated by 180°; rotates its input and outputs back"),
    "mirror_rotated": Strategy(
        mirror.rewrite_rotated, "rotated by 180°; takes and gives rotated maps", rotated_file=True
    ),
    "widen": Strategy(widen.rewrite, "kernels enlarged with zeros"),
    "tf_train": Strategy(tf_train.rewrite, "for a network trained with TensorFlow's padding"),
    "engine": Strategy(
        engine.rewrite,
        "SAME, with the true pads in the metadata for one's own backend",
        flagged=True,
    ),
    "force_same": Strategy(
        force_same.rewrite, "SAME everywhere: wrong numbers, for measuring only", exact=False
    ),
}
