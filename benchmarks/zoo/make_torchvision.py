"""Child process only: torchvision's networks."""

from typing import Any

import torchvision
from torch import Tensor, nn

from benchmarks.zoo.specimen import Specimen


def make(specimen: Specimen) -> nn.Module:
    """The network; of a detector, backbone and head."""
    detector = hasattr(torchvision.models.detection, specimen.what)
    options: dict[str, Any] = {"weights": None}
    if detector or hasattr(torchvision.models.segmentation, specimen.what):
        options["weights_backbone"] = None
    if specimen.what in ("googlenet", "inception_v3"):
        options |= {"aux_logits": False, "init_weights": False}
    model = torchvision.models.get_model(specimen.what, **options)
    return BackboneAndHead(model) if detector else model


class BackboneAndHead(nn.Module):
    """A detector between what resizes its images and what makes boxes of its maps."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.backbone: Any = detector.backbone
        self.head: Any = detector.head

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """What the head gives, by name."""
        features = self.backbone(image)
        maps = [features] if isinstance(features, Tensor) else list(features.values())
        found: dict[str, Tensor] = self.head(maps)
        return found
