"""What is known of one network, as a JSON file that a later run goes on from."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.zoo.specimen import Specimen

FILE = "record.json"
Tool = Literal["plain", "ours"]
TOOLS: tuple[Tool, ...] = ("plain", "ours")

type Outcome = Literal["right", "wrong", "refused", "traceback", "timed out"]
"""Of a conversion. ``refused``: the tool says so itself, in its own words.

``wrong``: a file was written that does not run or does not compute what the network does.
"""


@dataclass(frozen=True)
class Made:
    """What a tool made of the network.

    Args:
        reason: why it is not right, in one line.
        error: largest of an output, relative to its range; None if nothing could be compared.
        seconds: of the conversion.
    """

    outcome: Outcome
    reason: str = ""
    error: float | None = None
    pads: int = 0
    transposes: int = 0
    operators: int = 0
    seconds: float = 0

    @property
    def right(self) -> bool:
        """Whether there is a file that computes what the network does."""
        return self.outcome == "right"


@dataclass
class Record:
    """One network.

    Args:
        exported: "" if it was, or why not.
        nodes: of the ONNX graph.
        made: by tool.
        milliseconds: of one run, by tool.
        ratio: median of ours to plain, within a round.
        sources: digest of this project's library when it converted.
    """

    name: str
    group: str
    family: str
    exported: str | None = None
    nodes: int = 0
    made: dict[Tool, Made] = field(default_factory=dict)
    milliseconds: dict[Tool, float] = field(default_factory=dict)
    ratio: float | None = None
    sources: str = ""

    @classmethod
    def of(cls, specimen: Specimen) -> "Record":
        """Nothing is known yet."""
        return cls(specimen.name, specimen.group, specimen.family)

    @property
    def both_right(self) -> bool:
        """Whether there are two files to compare."""
        return all(tool in self.made and self.made[tool].right for tool in TOOLS)

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{FILE}.{os.getpid()}"
        part.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        part.replace(folder / FILE)


def load_record(specimen: Specimen, folder: Path) -> Record:
    """What is known of it so far."""
    try:
        values: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Record.of(specimen)
    made = {tool: Made(**each) for tool, each in values.pop("made").items()}
    return Record(**values, made=made)
