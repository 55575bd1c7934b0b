"""The data sets that an experiment can name: every setting and every default."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mmdet2tflite.config.base import ConfigSection, Positive, Size
from mmdet2tflite.config.names import Fix


class DigitsData(ConfigSection):
    """Built-in scenes composed of scikit-learn's handwritten digits: 10 classes, exact boxes."""

    kind: Literal["digits"]
    size: Size = (256, 160)
    """Width and height of a scene in pixels."""
    train_images: Positive = 400
    val_images: Positive = 100
    digits_per_image: tuple[Positive, Positive] = (2, 4)
    digit_size: tuple[Positive, Positive] = (40, 100)
    """Smallest and largest side of a digit in pixels."""
    seed: int = 0


class RotatedDigitsData(DigitsData):
    """The same scenes with digits turned by any angle: 9 classes, exact oriented boxes.

    There is no 9: it is a 6 that is upside down.
    """

    kind: Literal["rotated_digits"]  # type: ignore[assignment]
    digit_size: tuple[Positive, Positive] = (40, 90)


class MadeSplit(ConfigSection):
    """Some pictures of ``train`` become the validation split (docs/datasets.md)."""

    val: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the pictures that validate."""
    by: Literal["image", "group"] = "group"
    """What stays together: ``image``, files with the same content; ``group``, pictures that look
    alike and the frames of one video as well."""
    seed: int = 0


class FilesOfData(ConfigSection):
    """What the formats that are read from files have in common."""

    split: MadeSplit | None = None
    """How the validation split is made; by default the data set has one, and names it."""

    classes: tuple[str, ...] | None = None
    """Classes to learn, in this order; by default all that the training split names: COCO's by
    their ids, VOC's and DOTA's in alphabetical order, YOLO's in that of ``data``."""
    fix: tuple[Fix, ...] = ()
    """Problems to mend automatically; any other problem found stops the run with a report."""
    allowed_folders: tuple[Path, ...] = ()
    """Further folders that images and labels may lie in, also behind symbolic links; by default
    only the data set's own (docs/datasets.md)."""


class SplitsOfData[S: ConfigSection](FilesOfData):
    """What the formats have in common whose splits the experiment names."""

    root: Path = Path(".")
    """Folder that the paths of ``train`` and ``val`` are relative to."""
    train: S
    val: S | None = None
    """Where ``split`` is given, there is none."""

    @model_validator(mode="after")
    def _val_is_named_or_made(self) -> Self:
        if self.val is None and self.split is None:
            raise ValueError(
                "val is missing: name the validation split, or let it be made of train: "
                "split: {val: 0.2}"
            )
        if self.val is not None and self.split is not None:
            raise ValueError(
                "val names the validation split, and split would make one of train: leave one out"
            )
        return self


class CocoSplit(ConfigSection):
    """One COCO json and the folder that its ``file_name`` entries are relative to."""

    annotations: Path
    images: Path = Path(".")


class CocoData(SplitsOfData[CocoSplit]):
    """Any data set in COCO format."""

    kind: Literal["coco"]
    oriented: bool = False
    """Outlines (``segmentation``) become the smallest rectangles around them: oriented boxes."""


class VocSplit(ConfigSection):
    """Some XML files of a Pascal VOC data set, and the images of the same names."""

    image_set: Path | None = None
    """A list of names without suffix, one a line (``ImageSets/Main/train.txt``); by default all XML
    files of the folder."""
    annotations: Path = Path("Annotations")
    images: Path = Path("JPEGImages")


class VocData(SplitsOfData[VocSplit]):
    """Any data set in Pascal VOC format: one XML file per image."""

    kind: Literal["voc"]
    first_pixel: Literal[0, 1] = 1
    """Where ``xmin`` and ``ymin`` count from: 1 as Pascal VOC does, 0 as many annotation tools."""


class DotaSplit(ConfigSection):
    """The text files of a DOTA data set's split, and the images of the same names."""

    annotations: Path = Path("labelTxt")
    images: Path = Path("images")


class DotaData(SplitsOfData[DotaSplit]):
    """Any data set in DOTA's format: one text file per image, with the corners of each object."""

    kind: Literal["dota"]


class YoloData(FilesOfData):
    """Any data set in YOLO format: one text file per image, and a ``data.yaml``."""

    kind: Literal["yolo"]
    data: Path
    """The ``data.yaml``: names of the classes, and where the splits are. Where ``split`` is given,
    its ``val`` is not there, or the same as its ``train``."""


type DataInFiles = CocoData | VocData | DotaData | YoloData

DatasetConfig = Annotated[
    DigitsData | RotatedDigitsData | CocoData | VocData | DotaData | YoloData,
    Field(discriminator="kind"),
]
