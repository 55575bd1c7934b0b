"""What came out of a stand-alone conversion, and the files that tell of it."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdet2tflite.backends.magnitude_table import largest_tensors
from mmdet2tflite.errors import UserError, one_line
from mmdet2tflite.graph.canonical import Change
from mmdet2tflite.graph.plan import describe_rewriting
from mmdet2tflite.graph.rewriting import Rewriting
from mmdet2tflite.passport import Passport
from mmdet2tflite.standalone.request import Request

if TYPE_CHECKING:  # pydantic is slow to import, and not needed for float32
    from mmdet2tflite.quantize.file_request import FileResult

PLAN, PARITY, PASSPORT = "plan.json", "parity.json", "passport.json"
SCRIPT, LOG = "reproduce.sh", "converter.log"
MAGNITUDES_SHOWN = 5
"""The largest tensors, in ``parity.json``."""


@dataclass(frozen=True)
class Tried:
    """An attempt that gave no right file."""

    strategy: str
    converter: str
    error: UserError

    @property
    def sentence(self) -> str:
        """Which attempt, and why it failed."""
        return f"{self.strategy} by {self.converter}: {one_line(self.error.found)}"


@dataclass(frozen=True)
class Conversion:
    """What came out: the file, and errors and numbers of operators by name.

    ``samples`` says what the errors were measured on, ``magnitudes`` (a ``magnitude_table``) how
    large the tensors inside become on the same, ``tried`` which attempts failed before,
    ``quantised`` what became of the other precisions.
    """

    file: Path
    passport: Passport
    rewriting: Rewriting
    samples: str
    metrics: Mapping[str, float]
    magnitudes: Mapping[str, Any]
    tried: tuple[Tried, ...] = ()
    quantised: Mapping[str, "FileResult"] = field(default_factory=dict)


def write_reports(
    folder: Path, request: Request, conversion: Conversion, changes: Sequence[Change]
) -> None:
    """Write plan.json, parity.json, passport.json and reproduce.sh."""
    from mmdet2tflite.convert.tflite_file import passport_json  # slow: see attempt.py

    rewriting, passport = conversion.rewriting, conversion.passport
    plan = describe_rewriting(rewriting.chosen or request.padding, rewriting, changes)
    plan["converter"] = passport.converter
    plan["tried"] = [each.sentence for each in conversion.tried]
    parity = {
        "measured_on": conversion.samples,
        "tolerance": request.tolerance,
        "compared_with": str(request.model),
        "metrics": dict(conversion.metrics),
        "magnitudes": {
            **conversion.magnitudes,
            "tensors": largest_tensors(conversion.magnitudes, MAGNITUDES_SHOWN),
        },
    }
    if conversion.quantised:
        parity["precisions"] = {
            name: result.model_dump() for name, result in conversion.quantised.items()
        }
    for name, values in ((PLAN, plan), (PARITY, parity)):
        (folder / name).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    (folder / PASSPORT).write_bytes(passport_json(passport, indent=1) + b"\n")
    script = folder / SCRIPT
    script.write_text(
        "#!/bin/sh\n"
        f"# Makes these files again, with mmdet2tflite {version('mmdet2tflite')}.\n"
        f"exec {shlex.join(request.command())}\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
