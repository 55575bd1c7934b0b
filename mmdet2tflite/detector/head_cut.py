"""The cut behind ``bbox_head.forward``, the same for every dense head. Children only.

mmdeploy marks the outputs of some heads and not of others, and cannot trace the post-processing of
them all. Nothing of that is needed here: with ``stop_behind_head`` the network that mmdeploy traces
ends at what its head returns, and this is marked.
"""

from collections.abc import Sequence
from typing import Any

from mmdeploy.core import FUNCTION_REWRITER, mark
from mmengine.config import Config

MARK = "bbox_head"
PREDICT = "mmdet.models.dense_heads.base_dense_head.BaseDenseHead.predict"


def stop_behind_head() -> None:
    """From now on, in this process, what mmdeploy makes of a head's ``predict`` is ``forward``."""
    FUNCTION_REWRITER.register_rewriter(PREDICT)(_stop)


def mark_behind_head() -> None:
    """From now on, in this process, the head's outputs are marked, and what follows is traced too.

    Where mmdeploy has no post-processing that can be traced, the network ends there.
    """
    FUNCTION_REWRITER.register_rewriter(PREDICT)(_predict)


def _marked_maps(self: Any, x: Any) -> Any:
    # Without an argument of the marked function, mmdeploy marks nothing but its outputs.
    return mark(MARK)(lambda: self(x))()


def _stop(self: Any, x: Any, batch_data_samples: Any, rescale: bool = False) -> Any:
    # One list, whatever is in it: mmdeploy has names for three outputs of a detector.
    return [_marked_maps(self, x)]


def _predict(self: Any, x: Any, batch_data_samples: Any, rescale: bool = False) -> Any:
    maps = _marked_maps(self, x)
    if not self.predict_by_feat.__module__.startswith("mmdeploy"):  # mmdet's own
        return [maps]
    meta = [sample.metainfo for sample in batch_data_samples]
    return self.predict_by_feat(*maps, batch_img_metas=meta, rescale=rescale)


def ends_behind_head(deploy: Config) -> bool:
    """Whether a deploy config of the user's own cuts there, too."""
    cuts = deploy.partition_config.get("partition_cfg", ())
    return any(end.startswith(f"{MARK}:") for each in cuts for end in each["end"])


def cut_behind_head(deploy: Config, maps: Sequence[str] | None) -> None:
    """Set the marks of the cut in a deploy config, and what comes out there.

    Args:
        maps: meanings of the lists that the head returns, in its order; None: nobody knows, and
            they are numbered as the head returns them.
    """
    deploy.partition_config.partition_cfg = [
        dict(start=["detector_forward:input"], end=[f"{MARK}:output"])
    ]
    deploy.output_meaning = (
        {MARK: "map"}
        if maps is None
        else {f"{MARK}.{number}": meaning for number, meaning in enumerate(maps)}
    )
