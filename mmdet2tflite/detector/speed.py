"""What makes a training iteration cheaper and changes its result by rounding only.

Child processes only. What each is worth stands in docs/benchmarks/training.md.
"""

from typing import Any

import torch
from mmcv.cnn import Swish
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS

PARAMETERS = "params"


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """mmengine's constructor, with one parameter group per setting instead of one per parameter.

    PyTorch's optimizers work through a group in one call, and YOLOX-nano has 330 parameters with
    two settings (with and without weight decay).
    """

    def __call__(self, model: torch.nn.Module) -> OptimWrapper:
        """The optimizer of a model."""
        wrapper = super().__call__(model)
        groups: dict[tuple[tuple[str, Any], ...], list[torch.nn.Parameter]] = {}
        for group in wrapper.optimizer.param_groups:
            settings = tuple((name, group[name]) for name in group if name != PARAMETERS)
            groups.setdefault(settings, []).extend(group[PARAMETERS])
        wrapper.optimizer.param_groups = [
            {PARAMETERS: parameters, **dict(settings)} for settings, parameters in groups.items()
        ]
        return wrapper


def speed_up(model: torch.nn.Module) -> None:
    """Prepare a model for training, in place.

    1. mmcv's Swish is a sigmoid and a product, each with a map of its own to keep for the backward
       pass; PyTorch's SiLU is the same function in one.
    2. On a CPU, oneDNN convolves N x H x W x C in memory faster than N x C x H x W, depthwise most
       of all. Shapes stay as they are, and so do the values of parameters.
    """
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, Swish):
                setattr(module, name, torch.nn.SiLU())
    if next(model.parameters()).device.type == "cpu":
        model.to(memory_format=torch.channels_last)
