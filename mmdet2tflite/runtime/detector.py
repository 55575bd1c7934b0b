"""What a user ships: a TFLite file that this project made, and a picture, give boxes.

    from mmdet2tflite.runtime import Detector

    detector = Detector("model.tflite", score_threshold=0.3)
    found = detector("photo.jpg")
    for box, score, name in zip(found.boxes, found.scores, found.names):
        print(name, f"{score:.2f}", box)  # x1, y1, x2, y2 in pixels of the photo

It needs numpy, opencv-python and ai-edge-litert. Everything else is in the file's passport:
letterbox, colour order, mean and std, which output is what, what is rotated by 180°, padding flags,
thresholds and class names. The boxes are those of the evaluation, to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, overload, override

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import ConfigError, DataError, ImageError, ModelError
from mmdet2tflite.files.image_file import decode_image
from mmdet2tflite.passport import Head, HowToRun, Preprocessing
from mmdet2tflite.runtime.decode import FAMILIES, Detections, decode, letterbox
from mmdet2tflite.runtime.decode.dense import class_channels
from mmdet2tflite.runtime.images import read_image
from mmdet2tflite.runtime.passport import load_passport
from mmdet2tflite.runtime.runners import open_tflite

ColourOrder = Literal["bgr", "rgb"]

type Image = str | Path | bytes | NDArray[np.uint8]
"""The path of an image file, the content of one, or an array of H x W x 3."""


@dataclass(frozen=True, eq=False)
class NamedDetections(Detections):
    """What was found in one image, best first.

    ``boxes`` are x1, y1, x2, y2 in pixels of the image (N x 4, float32; they may reach beyond it),
    ``scores`` (N, float32) lie in 0..1, ``labels`` (N, int64) are indices into ``classes``.
    ``corners`` are the four of each box (N x 4 x 2), and ``oriented``, of a detector of oriented
    boxes alone, has x, y of the centre, width, height and angle in radians, clockwise (N x 5).
    """

    classes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The class of each detection."""
        return [self.classes[label] for label in self.labels]

    @override
    def __getitem__(self, index: slice | NDArray[Any]) -> "NamedDetections":
        return named(super().__getitem__(index), self.classes)


def named(found: Detections, classes: tuple[str, ...]) -> NamedDetections:
    """The same detections, with the names of the classes."""
    return NamedDetections(
        found.boxes, found.scores, found.labels, classes, oriented=found.oriented
    )


class Detector:
    """A TFLite file, loaded, with all that its passport says. Use one for each thread of yours.

    Args:
        model: path of the file.
        threads: for LiteRT's kernels and XNNPACK.
        xnnpack: False leaves out XNNPACK, which LiteRT applies by default.
        score_threshold: lowest score of a detection, 0 to 1, in place of the passport's.

    Attributes:
        passport: what the file says of itself.
        classes: names by label.
        oriented: whether its boxes are.

    Raises:
        ModelError: the file is missing, broken or does not load; it has no passport, one of a newer
            version, one that does not fit the file, or one without a head: then it was converted
            alone and is no detector.
        ConfigError: the threshold is no probability.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        threads: int = 1,
        xnnpack: bool = True,
        score_threshold: float | None = None,
    ) -> None:
        path = Path(model)
        self.passport = load_passport(path)
        self._lowest = score_threshold or 0.0
        self._head, self._preprocessing = detector_parts(self.passport, path)
        if score_threshold is not None:
            if not 0 <= score_threshold <= 1:
                raise ConfigError(f"a score threshold of {score_threshold}", "0 to 1")
            self._head = replace(self._head, score_threshold=score_threshold)
        self.classes = self._head.classes
        assert self._head.family is not None  # detector_parts
        self.oriented = FAMILIES[self._head.family].oriented
        self._runner = open_tflite(self.passport, path, threads, xnnpack)

    @overload
    def __call__(
        self, image: list[Image] | tuple[Image, ...], *, colour_order: ColourOrder = "bgr"
    ) -> list[NamedDetections]: ...
    @overload
    def __call__(self, image: Image, *, colour_order: ColourOrder = "bgr") -> NamedDetections: ...

    def __call__(
        self, image: Image | Sequence[Image], *, colour_order: ColourOrder = "bgr"
    ) -> NamedDetections | list[NamedDetections]:
        """Find the objects in an image, or in each of a list of images, one after the other.

        Args:
            image: of any size. A file, by its path or as bytes, is rotated as its EXIF data says.
                An array is H x W x 3, uint8.
            colour_order: of arrays. A file knows its own.

        Raises:
            ImageError: an image cannot be read or decoded, or its header claims more pixels than
                ``image_file.MOST_PIXELS``; an array has another type, 1 or 4
                channels, or no pixels; or it is so narrow that scaling leaves nothing of it.
            ConfigError: the colour order is another one.
            ModelError: the outputs are not what the passport says.
        """
        if colour_order not in get_args(ColourOrder):
            raise ConfigError(f"the colour order {colour_order!r}", "'bgr' or 'rgb'")
        if isinstance(image, list | tuple):
            return [
                self._detect(one, colour_order, f"image {number} of {len(image)}")
                for number, one in enumerate(image, 1)
            ]
        return self._detect(image, colour_order, "the image")

    def _detect(self, image: Any, colour_order: str, name: str) -> NamedDetections:
        try:
            pixels = _bgr(image, colour_order)
            tensor, scale_factor = letterbox(pixels, self._preprocessing)
        except DataError as error:
            name = str(image) if isinstance(image, str | Path) else name
            raise ImageError(f"{name}: {error.found}", error.expected, error.remedy) from None
        outputs = self._runner.infer(tensor)
        found = decode(outputs, self._head, self._preprocessing, scale_factor)
        # Some heads multiply a score that was above the threshold by a centerness.
        found = found[np.flatnonzero(found.scores >= np.float32(self._lowest))]
        return named(found, self.classes)


def detector_parts(passport: HowToRun, path: Path) -> tuple[Head, Preprocessing]:
    """What a passport says of a detector. Raises ModelError if it is that of something else."""
    head, preprocessing = passport.head, passport.preprocessing
    if head is None or preprocessing is None:
        raise ModelError(
            f"{path} is no detector: it was converted alone, and its passport has no head",
            "a file of `mmdet2tflite run`, which knows its classes and how to decode its outputs",
            "run it with mmdet2tflite.tflite.padding_flag.open_flagged, which gives LiteRT's "
            "Interpreter, and decode the outputs yourself",
        )
    if head.family is None:
        raise ModelError(
            f"{path} has no decoder: its network was cut where the outputs mean nothing to us",
            f"a detector of the families {', '.join(FAMILIES)}, cut by their own deploy configs",
            "run it with mmdet2tflite.tflite.padding_flag.open_flagged, which gives LiteRT's "
            "Interpreter, and decode the outputs yourself",
        )
    if head.family not in FAMILIES:
        raise ModelError(
            f"{path} is a detector of the family {head.family}",
            f"one of {', '.join(FAMILIES)}",
            "it was made by a newer mmdet2tflite: upgrade this one",
        )
    expected = {f"cls_{stride}": class_channels(head, n) for n, stride in enumerate(head.strides)}
    for output in passport.outputs:
        channels = output.shape[-1 if output.layout == "nhwc" else 1] if output.shape[1:] else 0
        if channels != expected.get(output.name, channels):
            raise ModelError(
                f"the passport of {path} names {len(head.classes)} classes, {output.name} has "
                f"{channels} channels",
                f"{expected[output.name]} channels: one for each class, of each anchor",
                "convert the model again",
            )
    return head, preprocessing


def _bgr(image: Any, colour_order: str) -> NDArray[np.uint8]:
    """An image in any of the forms that are taken, as H x W x 3, BGR. Raises DataError."""
    if isinstance(image, str | Path):
        return read_image(Path(image))
    if isinstance(image, bytes):
        return decode_image(image)
    if not isinstance(image, np.ndarray):
        raise DataError(
            f"an object of the type {type(image).__name__}",
            "a path, the bytes of an image file, or a numpy array",
            "for a PIL image: np.asarray(image.convert('RGB')), with colour_order='rgb'",
        )
    _check(image)
    return np.ascontiguousarray(image[..., ::-1] if colour_order == "rgb" else image)


REMEDIES = {
    1: "cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)",
    4: "cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)",
}
"""By number of channels."""


def _check(image: NDArray[Any]) -> None:
    shape = " x ".join(map(str, image.shape))
    channels = 1 if image.ndim == 2 else image.shape[-1] if image.ndim == 3 else 0
    if channels != 3:
        raise DataError(
            f"an array of {shape or 'no axes'}",
            "height x width x 3",
            REMEDIES.get(channels, "give one image as an array, several as a list of arrays"),
        )
    if not image.size:
        raise DataError(f"an array of {shape}, without pixels", "height x width x 3")
    if image.dtype != np.uint8:
        raise DataError(
            f"an array of {image.dtype}",
            "uint8, 0 to 255",
            "values from 0 to 1: np.rint(image * 255).astype(np.uint8)",
        )
