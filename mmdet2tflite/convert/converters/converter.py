"""What every converter receives and returns. A converter is one file and one line in a table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmdet2tflite.processes.toolchain import WarmPython


@dataclass(frozen=True)
class ToolRun:
    """A folder of the converter's own (``work``), its log, and its time-out in seconds.

    ``warm``: what the converter's own ``warm`` started, if it has been. ``kept``: inputs that stay
    in the layout of the ONNX; all others have their channels last.
    """

    work: Path
    log: Path
    timeout: float
    warm: WarmPython | None = None
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Converter:
    """``convert(onnx file, run)`` returns a float32 TFLite file inside ``run.work``.

    ``tools`` are the distributions whose versions decide about the result. ``warm`` starts the tool
    in advance, where that saves time.
    """

    convert: Callable[[Path, ToolRun], Path]
    tools: tuple[str, ...]
    warm: Callable[[], WarmPython] | None = None
