"""``mmdet2tflite doctor``: what a report of a problem must contain, collected in one place."""

import json
import platform
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from mmdet2tflite.processes.machine import cores, cpu_model

MAIN_DISTRIBUTIONS = (
    "numpy",
    "opencv-python",
    "torch",
    "torchvision",
    "mmengine",
    "mmcv-lite",
    "mmdet",
    "mmdeploy",
    "onnx",
    "onnx-ir",
    "onnxruntime",
    "onnx2tf",
    "tensorflow",
    "ai-edge-litert",
    "litert-quantizer",
    "openvino",
    "openvino2tensorflow",
    "prefect",
    "mlflow",
)

SECONDS_FOR_A_PROBE = 120
PROBE_OF_GPUS = """
import json, torch
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(json.dumps(names if torch.cuda.is_available() else []))
"""


@dataclass(frozen=True)
class Machine:
    """Hardware and interpreter. ``gpus`` is empty without CUDA, None if torch cannot be asked."""

    python: str
    platform: str
    cpu: str
    cores: int
    memory_gib: float
    gpus: list[str] | None


@dataclass(frozen=True)
class Distribution:
    """A package as the lock pins it and as it is installed; None where it is absent."""

    name: str
    pinned: str | None
    installed: str | None

    @property
    def state(self) -> str:
        """``ok``, ``missing`` or ``differs``."""
        if self.installed is None:
            return "missing"
        return "ok" if self.installed == self.pinned else "differs"


@dataclass(frozen=True)
class Override:
    """A third party's pin that is stricter than the truth, and why it may be overridden."""

    pin: str
    reason: str


@dataclass(frozen=True)
class Diagnosis:
    """Everything ``doctor`` shows; the names of the fields are the keys of its JSON.

    ``mends`` are the compatibility patches; None if the packages could not be asked.
    """

    machine: Machine
    distributions: list[Distribution]
    overrides: list[Override]
    mends: list[dict[str, Any]] | None
    problems: list[str]

    @property
    def missing(self) -> list[str]:
        """Names of the main distributions that are not installed."""
        return [d.name for d in self.distributions if d.state == "missing"]


def diagnose(root: Path) -> Diagnosis:
    """Look at this machine and environment; the pins are those of the project at ``root``."""
    problems: list[str] = []
    gpus = _ask(["-c", PROBE_OF_GPUS], "torch", root, problems)
    patches = _ask(
        ["-m", "mmdet2tflite.detector.compat"], "the compatibility patches", root, problems
    )
    pins = read_pins((root / "requirements.lock").read_text(encoding="utf-8"))
    overrides = (root / "requirements.overrides").read_text(encoding="utf-8")
    return Diagnosis(
        machine=Machine(
            python=platform.python_version(),
            platform=platform.platform(),
            cpu=cpu_model(),
            cores=cores(),
            memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
            gpus=gpus,
        ),
        distributions=[
            Distribution(name, pins.get(name), _installed(name)) for name in MAIN_DISTRIBUTIONS
        ],
        overrides=read_overrides(overrides),
        mends=patches,
        problems=problems,
    )


def read_pins(lock: str) -> dict[str, str]:
    """Version by distribution of a lock's text; environment markers are left out."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock, flags=re.MULTILINE))


def read_overrides(text: str) -> list[Override]:
    """The pins of ``requirements.overrides``, each with the comment behind it."""
    lines = (line.partition("#") for line in text.splitlines())
    return [Override(pin.strip(), reason.strip()) for pin, _, reason in lines if pin.strip()]


def print_json(diagnosis: Diagnosis) -> None:
    """Write the diagnosis to standard output, one JSON object."""
    values = asdict(diagnosis)
    for entry, distribution in zip(values["distributions"], diagnosis.distributions, strict=True):
        entry["state"] = distribution.state
    print(json.dumps(values, indent=1))


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """Write the diagnosis to the terminal as tables."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()

    def show(title: str, headings: list[str], rows: list[list[str]]) -> None:
        table = Table(*headings, title=title, title_justify="left", show_header=any(headings))
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)

    machine = asdict(diagnosis.machine)
    gpus = machine["gpus"]
    machine["gpus"] = "unknown" if gpus is None else ", ".join(gpus) or "none (no CUDA)"
    show("Machine", ["", ""], [[name, str(value)] for name, value in machine.items()])
    show(
        "Distributions",
        ["name", "pinned", "installed", "state"],
        [[d.name, d.pinned or "-", d.installed or "-", d.state] for d in diagnosis.distributions],
    )
    show("Overridden pins", ["pin", "reason"], [[o.pin, o.reason] for o in diagnosis.overrides])
    show(
        "Compatibility patches",
        ["name", "package", "active", "reason"],
        [
            [
                m["name"],
                f"{m['package']} {m['version']}",
                "yes" if m["active"] else "no",
                m["reason"],
            ]
            for m in diagnosis.mends or ()
        ],
    )
    for problem in diagnosis.problems:
        console.print(problem, style="red", markup=False)
    if diagnosis.missing:
        console.print(f"missing: {', '.join(diagnosis.missing)}; run `make install`", style="red")


def _ask(arguments: list[str], whom: str, root: Path, problems: list[str]) -> Any:
    """The JSON on the last line that a child prints, or None with an entry in ``problems``.

    A child, because the question imports torch, which takes seconds and may crash.
    """
    try:
        child = subprocess.run(
            [sys.executable, *arguments],
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_FOR_A_PROBE,
        )
    except subprocess.TimeoutExpired:
        problems.append(f"{whom}: no answer within {SECONDS_FOR_A_PROBE} s")
        return None
    if child.returncode:
        last = (child.stderr.strip().splitlines() or [f"status {child.returncode}"])[-1]
        problems.append(f"{whom}: {last}")
        return None
    return json.loads(child.stdout.splitlines()[-1])


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
