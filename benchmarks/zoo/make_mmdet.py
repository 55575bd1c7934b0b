"""Child process only: detectors of mmdet's configs, from the image to the head's raw maps."""

from pathlib import Path

from torch import Tensor, nn

from benchmarks.zoo.mmdet_networks import NETWORKS
from benchmarks.zoo.specimen import Specimen
from mmdet2tflite.detector import compat

HEADS = ("bbox_head", "rpn_head", "mask_head")


def make(specimen: Specimen) -> nn.Module:
    """Backbone, neck and head of the config, without weights of others."""
    compat.prepare()
    import mmdet
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules
    from mmengine import Config

    register_all_modules()
    network = NETWORKS[specimen.what]
    file = Path(mmdet.__file__).parent / ".mim" / "configs" / f"{network.config}.py"
    config = Config.fromfile(file)
    config.merge_from_dict({f"model.{key}": value for key, value in network.changes.items()})
    section = config.model
    head = next(section[name] for name in HEADS if section.get(name))
    head.update(train_cfg=None, test_cfg=section.get("test_cfg"))
    parts = [section.backbone, section.get("neck"), head]
    return nn.Sequential(*(Part(MODELS.build(part)) for part in parts if part))


class Part(nn.Module):
    """Takes what the part before it gives."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, values: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Maps of all levels."""
        maps: tuple[Tensor, ...] = self.part(values)
        return maps
