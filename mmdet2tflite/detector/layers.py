"""Convolutions that pad as TensorFlow does, registered with mmcv. Child processes only.

Usable in any mmdet config, without the rest of this project::

    custom_imports = dict(imports=["mmdet2tflite.detector.layers"])
    model = dict(
        backbone=dict(conv_cfg=dict(type="Conv2dSame")),
        neck=dict(conv_cfg=dict(type="Conv2dSame")),
        bbox_head=dict(conv_cfg=dict(type="Conv2dSame")),
    )
"""

from typing import Any

import torch
from mmcv.cnn import build_conv_layer
from mmdet.models.backbones import CSPNeXt
from mmengine.registry import MODELS
from torch.nn import functional

from mmdet2tflite.errors import ConfigError
from mmdet2tflite.geometry import same_pads


@MODELS.register_module()
class Conv2dSame(torch.nn.Conv2d):
    """``nn.Conv2d`` with TensorFlow's SAME padding for the size of its input.

    1. Where ``nn.Conv2d`` would pad, this layer pads as SAME does (``geometry.same_pads``; tf.nn,
       "Notes on padding"), whatever the amount: N x C x H x W becomes N x O x ceil(H / s) x
       ceil(W / s).
    2. ``padding=0`` stays: TensorFlow calls it VALID.
    3. Where both ends get the same, as at stride 1, the convolution itself pads, and an exported
       graph has no Pad. Otherwise zeros are appended before it.
    4. Parameters, their names and their initialisation are ``nn.Conv2d``'s: either loads the
       other's weights.
    5. A traced graph holds the pads of the size that it was traced with.

    mmcv's ``Conv2dAdaptivePadding`` computes the same, but copies the map in front of every layer,
    pads where ``padding=0``, and loses its pads under ``efficient_conv_bn_eval``.

    Raises:
        ConfigError: a ``padding_mode`` other than zeros; TensorFlow has no other.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if self.padding_mode != "zeros":
            raise ConfigError(
                f"a Conv2dSame with padding_mode {self.padding_mode!r}",
                "'zeros': TensorFlow's convolutions know no other",
                "leave conv_cfg away from this layer",
            )

    # Not ``forward``: mmcv's efficient_conv_bn_eval calls this one.
    def _conv_forward(
        self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        padding: Any = self.padding
        if self.padding not in ((0, 0), "valid"):
            rows, columns = self._same_pads(input)
            padding = (rows[0], columns[0])
            if padding != (rows[1], columns[1]):
                input = functional.pad(input, (*columns, *rows))
                padding = 0
        return functional.conv2d(
            input, weight, bias, self.stride, padding, self.dilation, self.groups
        )

    def _same_pads(self, image: torch.Tensor) -> list[tuple[int, int]]:
        """(begin, end) of rows and of columns. Under tracing, a size is a tensor until now."""
        sizes = (int(size) for size in image.shape[-2:])
        windows = zip(sizes, self.kernel_size, self.stride, self.dilation, strict=True)
        return [same_pads(*window) for window in windows]


@MODELS.register_module()
class CSPNeXtSame(CSPNeXt):
    """mmdet's CSPNeXt, which hands ``conv_cfg`` to all its parts but the stem, with it there too.

    The stem's first convolution has stride 2.
    """

    def __init__(self, *args: Any, conv_cfg: dict[str, Any] | None = None, **settings: Any) -> None:
        super().__init__(*args, conv_cfg=conv_cfg, **settings)
        for block in self.stem:
            old = block.conv
            block.conv = build_conv_layer(
                conv_cfg,
                old.in_channels,
                old.out_channels,
                old.kernel_size,
                stride=old.stride,
                padding=old.padding,
                bias=old.bias is not None,
            )


def check_padding(model: torch.nn.Module) -> None:
    """Raise ConfigError if a strided layer of the network still pads as PyTorch does."""
    others = [name for name, layer in model.named_modules() if _pads_as_pytorch(layer)]
    if others:
        raise ConfigError(
            f"{len(others)} strided layers pad as PyTorch does, first {others[0]}",
            "with detector.padding=tf, Conv2dSame wherever a convolution has a stride, and no "
            "strided pooling that pads",
            "hand conv_cfg on to that layer in your detector's code, or set detector.padding=torch "
            "and variants.padding=[mirror], which is exact for any network",
        )


def _pads_as_pytorch(layer: torch.nn.Module) -> bool:
    if isinstance(layer, Conv2dSame) or not isinstance(
        layer, (torch.nn.Conv2d, torch.nn.MaxPool2d, torch.nn.AvgPool2d)
    ):
        return False
    return layer.stride not in (1, (1, 1)) and layer.padding not in (0, (0, 0), "valid")
