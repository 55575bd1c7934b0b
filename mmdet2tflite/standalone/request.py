"""What a stand-alone conversion is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from mmdet2tflite.config.names import ConverterChoice, OutputLayout, PaddingName, PrecisionName
from mmdet2tflite.errors import ConfigError

type Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Normalisation:
    """How pixels become the input: ``(pixel - mean) / std`` per channel, in this order."""

    colour_order: Literal["bgr", "rgb"] = "bgr"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)

    @classmethod
    def from_options(
        cls, colours: Literal["bgr", "rgb"] | None, mean: Triple | None, std: Triple | None
    ) -> "Normalisation | None":
        """What was said of it; None if nothing was. Raises ConfigError for a std of 0."""
        if colours is None and mean is None and std is None:
            return None
        if std and not all(std):
            raise ConfigError(f"--std {std}", "three numbers other than 0")
        return cls(colours or cls.colour_order, mean or cls.mean, std or cls.std)

    def options(self) -> list[str]:
        """The words for the command line."""
        numbers = {"--mean": self.mean, "--std": self.std}
        words = ["--colours", self.colour_order]
        for option, values in numbers.items():
            words += [option, *(f"{value:g}" for value in values)]
        return words


@dataclass(frozen=True)
class Request:
    """What ``mmdet2tflite convert`` was asked for.

    Args:
        model: the ONNX file.
        out: the folder for the results; other files in it stay.
        padding, converter: entries of STRATEGIES and CONVERTERS; ``auto`` tries one after another.
        input_size: width, height, where the model leaves them open.
        batch, input_shapes, cut: as ``load_model``.
        output_layout: of outputs that are maps.
        calibration: a folder of images, or an ``.npy`` file of inputs (samples x the input's shape
            without its batch), to compare on and to calibrate integers; by default seeded noise.
        precisions: files to make beside the one of float32; entries of PRECISIONS.
        normalisation: goes into the passport; None if nothing is known of it.
        tolerance: largest error against the ONNX, relative to the tensor's range.
        timeout: of each tool, in seconds.
    """

    model: Path
    out: Path
    padding: PaddingName
    converter: ConverterChoice
    input_size: tuple[int, int] | None
    calibration: Path | None
    normalisation: Normalisation | None
    tolerance: float
    timeout: float
    batch: int | None = None
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    output_layout: OutputLayout = "auto"
    cut: tuple[str, ...] = ()
    precisions: tuple[PrecisionName, ...] = ()

    @property
    def changes_network(self) -> bool:
        """Whether another network is converted than the one in the file."""
        return bool(self.batch or self.cut)

    def command(self) -> list[str]:
        """The words that repeat this conversion from any folder."""
        words = ["mmdet2tflite", "convert", str(self.model.resolve())]
        words += ["--out", str(self.out.resolve()), "--padding", self.padding]
        words += ["--converter", self.converter, "--tolerance", f"{self.tolerance:g}"]
        if self.input_size:
            words += ["--input-size", *(str(side) for side in self.input_size)]
        if self.batch:
            words += ["--batch", str(self.batch)]
        for name, sides in self.input_shapes.items():
            words += ["--input-shape", f"{name}={','.join(str(side) for side in sides)}"]
        for precision in self.precisions:
            words += ["--precision", precision]
        for name in self.cut:
            words += ["--cut", name]
        if self.output_layout != "auto":
            words += ["--output-layout", self.output_layout]
        if self.calibration:
            words += ["--calibration", str(self.calibration.resolve())]
        return words + (self.normalisation.options() if self.normalisation else [])


def parse_input_shapes(words: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """``NAME=1,3,64,64`` as a shape by name. Raises ConfigError."""
    shapes = {}
    for word in words:
        name, _, sides = word.rpartition("=")
        try:
            shapes[name] = tuple(int(side) for side in sides.split(","))
        except ValueError:
            name = ""
        if not name:
            raise ConfigError(
                f"--input-shape {word}",
                "NAME=1,3,64,64: a name and whole numbers",
                "give the input's name and all its sides",
            )
    return shapes


def parse_precisions(words: Sequence[str]) -> tuple[PrecisionName, ...]:
    """Each once, without float32, which is always made. Raises ConfigError."""
    known = {name: name for name in get_args(PrecisionName)}
    for word in words:
        if word not in known:
            raise ConfigError(f"--precision {word}", f"one of {', '.join(known)}")
    return tuple(known[word] for word in dict.fromkeys(words) if word != "float32")
