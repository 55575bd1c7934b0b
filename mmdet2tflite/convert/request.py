"""What a stand-alone conversion is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmdet2tflite.config.names import ConverterName, PaddingName
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
        padding, converter: entries of STRATEGIES and CONVERTERS.
        input_size: width, height, where the model leaves them open.
        calibration: a folder of images to compare on; by default seeded noise.
        normalisation: goes into the passport; None if nothing is known of it.
        tolerance: largest error against the ONNX, relative to the tensor's range.
        timeout: of each tool, in seconds.
    """

    model: Path
    out: Path
    padding: PaddingName
    converter: ConverterName
    input_size: tuple[int, int] | None
    calibration: Path | None
    normalisation: Normalisation | None
    tolerance: float
    timeout: float

    def command(self) -> list[str]:
        """The words that repeat this conversion from any folder."""
        words = ["mmdet2tflite", "convert", str(self.model.resolve())]
        words += ["--out", str(self.out.resolve()), "--padding", self.padding]
        words += ["--converter", self.converter, "--tolerance", f"{self.tolerance:g}"]
        if self.input_size:
            words += ["--input-size", *(str(side) for side in self.input_size)]
        if self.calibration:
            words += ["--calibration", str(self.calibration.resolve())]
        return words + (self.normalisation.options() if self.normalisation else [])
