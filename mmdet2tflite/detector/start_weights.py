"""The weights that a training starts from, or that are taken as they are. Child processes only.

A ``.pth`` of mmdet, or a YOLOX network in ONNX (``onnx_weights``). Where a training follows, the
weights may be of other classes: the layers that know of classes start anew then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict

from mmdet2tflite.detector.checkpoint_file import load_checkpoint
from mmdet2tflite.detector.mmdet_config import head_of
from mmdet2tflite.detector.onnx_weights import OnnxWeights, take_over
from mmdet2tflite.detector.scope import enter_scope
from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Preprocessing
from mmdet2tflite.runtime.images import input_tensor


@dataclass(frozen=True)
class Start:
    """Weights, the epoch that they are from, and their classes: names if known, and how many."""

    path: Path
    state_dict: dict[str, torch.Tensor]
    epoch: int
    names: tuple[str, ...] | None
    classes: int | None


def read_checkpoint(path: Path) -> Start:
    """Read a ``.pth`` file without running code from it. Raises ModelError."""
    _check_exists(path)
    found = load_checkpoint(path)
    count = len(found.classes) if found.classes else None
    return Start(path, found.state_dict, found.epoch, found.classes, count)


def read_onnx(
    path: Path, cfg: Config, preprocessing: Preprocessing, images: Sequence[Path]
) -> Start:
    """Take the weights of a YOLOX network over from ONNX.

    Args:
        cfg: of the same detector; its number of classes does not matter.
        preprocessing: of the data set's images; the input size only where the file has none.
        images: to compare on, and to take the statistics of batch norms from.

    Raises:
        ModelError: the file holds another network.
        ParityError: the network does not compute with these weights what the file computes.
    """
    _check_exists(path)
    weights = OnnxWeights.read(path, (preprocessing.width, preprocessing.height))
    classes = weights.classes()
    model = build_network(cfg, classes)
    *_, height, width = weights.input_shape
    sized = replace(preprocessing, height=height, width=width)
    take_over(model, weights, [input_tensor(image, sized)[0] for image in images])
    return Start(path, model.state_dict(), 0, None, classes)


def fit_to_classes(start: Start, cfg: Config, classes: tuple[str, ...], training: bool) -> Start:
    """Leave out the layers that know of classes, where the weights are of others.

    Raises:
        ModelError: they are of others, and no training would follow.
    """
    same = start.names == classes if start.names else start.classes in (None, len(classes))
    if same:
        return start
    if not training:
        found = f": {', '.join(start.names[:8])}" if start.names else ""
        raise ModelError(
            f"{start.path} was trained for {start.classes} classes{found}",
            f"the {len(classes)} classes of the data set: {', '.join(classes[:8])}",
            "train for some epochs (training.epochs), or choose a checkpoint of this data set",
        )
    left_out = class_layers(cfg)
    print(f"{start.path} is of other classes: {', '.join(sorted(left_out))} start anew", flush=True)
    kept = {name: value for name, value in start.state_dict.items() if name not in left_out}
    return Start(start.path, kept, start.epoch, start.names, start.classes)


def class_layers(cfg: Config) -> set[str]:
    """Names of the weights whose shape depends on the number of classes."""
    one, other = (build_network(cfg, classes).state_dict() for classes in (11, 12))
    return {name for name in one if one[name].shape != other[name].shape}


def build_with(cfg: Config, start: Start) -> torch.nn.Module:
    """The network with these weights, which must fit it exactly but for layers of other classes.

    Raises:
        ModelError: they do not fit.
    """
    model = build_network(cfg)
    try:
        missing, unexpected = model.load_state_dict(start.state_dict, strict=False)
        anew = class_layers(cfg) if missing else ()
        wrong = [f"no {name}" for name in missing if name not in anew]
        wrong += [f"{name} is not in the network" for name in unexpected]
    except RuntimeError as error:
        wrong = str(error).splitlines()[1:]
    if wrong:
        raise ModelError(
            f"{start.path} does not fit the network: " + "; ".join(wrong[:3]),
            "the weights of the same detector config",
            "check detector.config and training.checkpoint",
        )
    return model


def build_network(cfg: Config, classes: int | None = None) -> torch.nn.Module:
    """mmdet's network, with random weights; of another number of classes if one is given."""
    from mmdet.registry import MODELS

    enter_scope(cfg)
    # mmdet writes into the settings that it builds from, at every depth.
    settings: ConfigDict = Config(dict(model=cfg.model.to_dict())).model
    if classes is not None:
        head_of(settings).num_classes = classes
    model: torch.nn.Module = MODELS.build(settings)
    return model


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise ModelError(
            f"there is no checkpoint {path}", "a .pth or .onnx file", "check training.checkpoint"
        )
