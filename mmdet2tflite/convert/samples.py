"""What a stand-alone conversion is compared on: real images, or seeded noise."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmdet2tflite.errors import DataError, ModelError
from mmdet2tflite.parity.check import PARITY_IMAGES
from mmdet2tflite.runtime.decode import Floats, PreprocessingValues
from mmdet2tflite.runtime.images import images_in, input_tensor

NOISE_SAMPLES = 4
SEED = 0


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs (samples x C x H x W), and a sentence that says what they are."""

    inputs: Floats
    what: str


def noise(shape: tuple[int, ...]) -> Samples:
    """Standard normal values for an input of 1 x C x H x W."""
    values = np.random.default_rng(SEED).standard_normal((NOISE_SAMPLES, *shape[1:]))
    return Samples(
        values.astype(np.float32), f"{NOISE_SAMPLES} inputs of normal noise, seed {SEED}"
    )


def images(folder: Path, preprocessing: PreprocessingValues, channels: int) -> Samples:
    """The first images of a folder in the order of their names, letterboxed.

    Raises:
        DataError: no such folder, no images in it, or one that cannot be read.
        ModelError: the network does not take colour images.
    """
    if channels != 3:
        raise ModelError(
            f"an input of {channels} channels", "3 channels for --calibration", "leave it out"
        )
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder", "a folder of images", "check --calibration")
    paths = images_in(folder)[:PARITY_IMAGES]
    tensors = [input_tensor(path, preprocessing)[0] for path in paths]
    return Samples(np.concatenate(tensors), f"{len(tensors)} images of {folder}")
