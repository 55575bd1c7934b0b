"""A data set that decodes every image once, registered with mmdet. Child processes only."""

import copy
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS


@DATASETS.register_module()
class CachedCocoDataset(CocoDataset):
    """mmdet's CocoDataset that keeps what its pipeline made of an image, as long as it has room.

    Mosaic asks for four images where one is trained on, so that decoding adds up
    (docs/benchmarks/training.md). The pipeline must not be random: here it loads and letterboxes;
    what is random comes behind it, in MultiImageMixDataset.

    Args:
        cache_bytes: room for pixels, in this process. When it is full, the other images are decoded
            each time.
    """

    def __init__(self, *args: Any, cache_bytes: int, **settings: Any) -> None:
        self._room = cache_bytes
        self._cached: dict[int, dict[str, Any]] = {}
        super().__init__(*args, **settings)

    def prepare_data(self, idx: int) -> Any:
        """What the pipeline makes of an image, as a copy that the caller may change."""
        found = self._cached.get(idx)
        if found is None:
            found = super().prepare_data(idx)
            if found is None:
                return None
            size = np.asarray(found["img"]).nbytes
            if size > self._room:
                return found
            self._room -= size
            self._cached[idx] = found
        return copy.deepcopy(found)
