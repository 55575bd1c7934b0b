"""The table of torchvision's networks; of detectors, what stands before the post-processing."""

from benchmarks.zoo.specimen import Size, Specimen

CLASSIFIERS: dict[str, Size] = {
    "alexnet": (224, 224),
    "convnext_tiny": (96, 96),
    "densenet121": (96, 96),
    "efficientnet_b0": (96, 96),
    "efficientnet_v2_s": (96, 96),
    "googlenet": (96, 96),
    "inception_v3": (139, 139),
    "maxvit_t": (224, 224),
    "mnasnet0_5": (96, 96),
    "mobilenet_v2": (96, 96),
    "mobilenet_v3_large": (96, 96),
    "mobilenet_v3_small": (96, 96),
    "regnet_x_400mf": (96, 96),
    "regnet_y_400mf": (96, 96),
    "resnet18": (96, 96),
    "resnet50": (96, 96),
    "resnext50_32x4d": (96, 96),
    "shufflenet_v2_x0_5": (96, 96),
    "squeezenet1_1": (96, 96),
    "swin_t": (96, 96),
    "swin_v2_t": (96, 96),
    "vgg11_bn": (224, 224),
    "vit_b_32": (224, 224),
    "wide_resnet50_2": (64, 64),
}
SEGMENTATION = {
    "deeplabv3_mobilenet_v3_large": (96, 96),
    "deeplabv3_resnet50": (96, 96),
    "fcn_resnet50": (96, 96),
    "lraspp_mobilenet_v3_large": (96, 96),
}
DETECTION = {
    "fcos_resnet50_fpn": (96, 96),
    "retinanet_resnet50_fpn": (96, 96),
    "ssd300_vgg16": (300, 300),
    "ssdlite320_mobilenet_v3_large": (320, 320),
}
FAMILIES = {
    "mnasnet0_5": "mnasnet",
    "vit_b_32": "vit",
    "wide_resnet50_2": "wide_resnet",
    "ssd300_vgg16": "ssd",
}

TORCHVISION = tuple(
    Specimen("torchvision", name, FAMILIES.get(name, name.split("_")[0].rstrip("0123456789")), size)
    for name, size in (CLASSIFIERS | SEGMENTATION | DETECTION).items()
)
