"""Child process only: timm's networks, from the folder that ``timm_packages`` filled."""

from torch import nn

from benchmarks.zoo.specimen import Specimen


def make(specimen: Specimen) -> nn.Module:
    """The classifier, without weights of others."""
    import timm

    options = {"pretrained": False, "exportable": True}
    height, width = specimen.size
    try:
        model: nn.Module = timm.create_model(specimen.what, img_size=(height, width), **options)
    except TypeError:  # most convolutional networks take any size
        model = timm.create_model(specimen.what, **options)
    return model
