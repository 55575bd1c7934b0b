"""PyTorch at the marks of a cut, wherever it is. Child processes only, after prepare_export()."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdeploy.apis import build_task_processor
from mmdeploy.core import RewriterContext, patch_model
from mmdeploy.core.optimizers import function_marker, reset_mark_function_count
from mmengine.config import Config

from mmdet2tflite.runtime.decode import Floats

BACKEND = "onnxruntime"


class MarkRunner:
    """A checkpoint in mmdet with mmdeploy's rewritten functions, as it is traced.

    The tensors are taken as they pass their marks, so that they can be compared with an exported
    graph that was cut there.

    Args:
        weights: the ``.pth`` file.
        config: the complete mmdet config that belongs to it.
        deploy: the mmdeploy config, whose cut ends at the marks.
        names: name of a tensor at these marks → its name among the outputs.
    """

    def __init__(
        self, weights: Path, config: Path, deploy: Config, names: Mapping[str, str]
    ) -> None:
        task = build_task_processor(Config.fromfile(str(config)), deploy, "cpu")
        model = task.build_pytorch_model(str(weights))
        self._model = patch_model(model, cfg=deploy, backend=BACKEND)
        self._deploy, self._names = deploy, names
        (partition,) = deploy.partition_config.partition_cfg
        self._ends = partition.end

    @torch.inference_mode()
    def infer(self, tensor: Floats) -> dict[str, Floats]:
        """Outputs of the cut by name."""
        found: dict[str, torch.Tensor] = {}

        def record(x: torch.Tensor, *described: Any) -> torch.Tensor:
            _, _, function, number, kind, name, *_ = described
            places = {f"{function}[{number}]:{kind}"} | (
                {f"{function}:{kind}"} if number == 0 else set()
            )
            if places & set(self._ends) and name in self._names:
                found[self._names[name]] = x
            return x

        with RewriterContext(cfg=self._deploy, backend=BACKEND), _marks_replaced(record):
            reset_mark_function_count()
            self._model(torch.from_numpy(tensor), data_samples=None, mode="predict")
        return {name: found[name].numpy().astype(np.float32) for name in self._names.values()}


@contextmanager
def _marks_replaced(record: Callable[..., torch.Tensor]) -> Iterator[None]:
    """mmdeploy's Mark, an autograd function that is the identity, replaced meanwhile."""
    original = function_marker.Mark
    function_marker.Mark = type("Recorder", (), {"apply": staticmethod(record)})
    try:
        yield
    finally:
        function_marker.Mark = original
