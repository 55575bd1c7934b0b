"""One network: exported, converted by either tool, and each file compared with the ONNX."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.zoo.children import Ended, in_one_line, run_child
from benchmarks.zoo.record import TOOLS, Made, Record, Tool, load_record
from benchmarks.zoo.specimen import Specimen
from mmdet2tflite import __file__ as library
from mmdet2tflite.errors import UserError, one_line
from mmdet2tflite.processes.exit_status import WRONG_INPUT

TIMEOUT = 600.0
EXPORT_TIMEOUT, COMPARE_TIMEOUT = 600.0, 300.0
ONNX = "network.onnx"
TFLITE: dict[Tool, str] = {"plain": "plain.tflite", "ours": "ours.tflite"}


@dataclass(frozen=True)
class Place:
    """Where a network lies.

    Args:
        zoo: the folder of all of them.
        packages: where timm is.
        timeout: of a conversion, in seconds.
    """

    zoo: Path
    packages: Path
    timeout: float = TIMEOUT

    def folder(self, specimen: Specimen) -> Path:
        """Of one network."""
        return self.zoo / specimen.name


def measure(specimen: Specimen, place: Place, again: tuple[Tool, ...] = ()) -> Record:
    """Do what is not done yet, and write it down after each step.

    Args:
        again: what these tools made is made anew.
    """
    folder = place.folder(specimen)
    record = load_record(specimen, folder)
    for tool in again:
        record.made.pop(tool, None)
        record.milliseconds, record.ratio = {}, None
    if not (folder / ONNX).exists():
        record.made = {}
        _export(specimen, place, record)
        record.save(folder)
    for tool in TOOLS:
        if not record.exported and tool not in record.made:
            record.made[tool] = convert(tool, folder, place.timeout)
            if tool == "ours":
                record.sources = sources()
            record.save(folder)
    return record


def sources() -> str:
    """Digest of this project's library."""
    files = sorted(Path(library).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _export(specimen: Specimen, place: Place, record: Record) -> None:
    folder = place.folder(specimen)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [place.packages] if specimen.group == "timm" else []
    words = ["benchmarks.zoo.export_worker", specimen.name, str(folder / ONNX)]
    ended = run_child(words, folder / "export.log", EXPORT_TIMEOUT, paths=paths)
    record.exported = "" if ended.status == 0 else ended.reason
    if ended.status == 0:
        record.nodes = json.loads(ended.last_line)["nodes"]


def convert(tool: Tool, folder: Path, timeout: float) -> Made:
    """Convert and compare; what else the tool leaves is removed."""
    work, target = folder / f"{tool}.work", folder / TFLITE[tool]
    shutil.rmtree(work, ignore_errors=True)
    target.unlink(missing_ok=True)
    work.mkdir()
    made = CONVERTERS[tool](folder, work, target, timeout)
    shutil.rmtree(work, ignore_errors=True)
    return made


def _plain(folder: Path, work: Path, target: Path, timeout: float) -> Made:
    """As a user would: ``onnx2tf -i network.onnx -o out -coion -n``."""
    own = shutil.copy(folder / ONNX, work)  # it writes inferred shapes back into what it reads
    words = ["onnx2tf", "-i", str(own), "-o", str(work), "-coion", "-n"]
    ended = run_child(words, folder / "plain.log", timeout)
    return _judge(ended, work / f"{Path(ONNX).stem}_float32.tflite", target, folder, strict=False)


def _ours(folder: Path, work: Path, target: Path, timeout: float) -> Made:
    words = ["mmdet2tflite.cli", "convert", str(folder / ONNX), "--out", str(work)]
    ended = run_child(words, folder / "ours.log", timeout)
    return _judge(ended, work / f"{Path(ONNX).stem}.tflite", target, folder, strict=True)


CONVERTERS: dict[Tool, Callable[[Path, Path, Path, float], Made]] = {
    "plain": _plain,
    "ours": _ours,
}


def _judge(ended: Ended, made: Path, target: Path, folder: Path, *, strict: bool) -> Made:
    """``strict``: whatever goes wrong has to be told as a user's error, with status 2."""
    if ended.status is None:
        return Made("timed out", ended.reason, seconds=ended.seconds)
    if strict and (ended.has_traceback or ended.status not in (0, WRONG_INPUT)):
        return Made("traceback", ended.reason, seconds=ended.seconds)
    if ended.status != 0 or not made.exists():
        reason = user_error(ended.output) if strict else ended.reason
        return Made("refused", reason or "no file", seconds=ended.seconds)
    made.replace(target)
    return compare(folder / ONNX, target, folder / f"{target.stem}.compare.log", ended.seconds)


def user_error(output: str) -> str:
    """What our command said to its user, in one line; "" if it said nothing of the kind."""
    kinds: list[type[UserError]] = [UserError, *UserError.__subclasses__()]
    titles = tuple(f"{kind.title}: " for kind in kinds)
    lines = output.splitlines()
    starts = [number for number, text in enumerate(lines) if text.startswith(titles)]
    return in_one_line(one_line("\n".join(lines[starts[-1] :]))) if starts else ""


def compare(onnx: Path, tflite: Path, log: Path, seconds: float) -> Made:
    """What the file is worth."""
    ended = run_child(["benchmarks.zoo.compare_worker", onnx, tflite], log, COMPARE_TIMEOUT)
    if ended.status != 0:
        return Made("wrong", f"does not run: {ended.reason}", seconds=seconds)
    found = json.loads(ended.last_line)
    counts = {name: found[name] for name in ("pads", "transposes", "operators")}
    if found["error"] <= found["allowed"]:
        return Made("right", error=found["error"], seconds=seconds, **counts)
    reason = in_one_line(f"{found['output']} is off by {found['error']:.2g} of its range")
    return Made("wrong", reason, found["error"], seconds=seconds, **counts)
