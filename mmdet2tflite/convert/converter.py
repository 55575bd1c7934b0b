"""What every converter receives and returns. A converter is one file and one line in a table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ToolRun:
    """A folder of the converter's own (``work``), its log, and its time-out in seconds."""

    work: Path
    log: Path
    timeout: float


@dataclass(frozen=True)
class Converter:
    """``convert(onnx file, run)`` returns a float32 TFLite file inside ``run.work``.

    ``tools`` are the distributions whose versions decide about the result.
    """

    convert: Callable[[Path, ToolRun], Path]
    tools: tuple[str, ...]
