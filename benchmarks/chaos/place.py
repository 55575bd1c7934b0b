"""Where one case happens: a store, MLflow's database, Prefect's home and a temporary folder."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.chaos.digests import Fingerprint, fingerprint, manifests
from benchmarks.chaos.processes import Run, environment
from mmdet2tflite.config.project import project_root
from mmdet2tflite.processes.replace_process import FLOW_ENVIRONMENT
from mmdet2tflite.store.manifest import MANIFEST

EXPERIMENT = Path(__file__).with_name("experiment.yaml")
NAME, SECONDS = "chaos", "seconds.json"
LIMIT, LEAST_LIMIT = 4.0, 300.0
"""Times the undisturbed run's, and seconds. It has the machine to itself, cases go side by side."""
SECONDS_UNDISTURBED = 1800.0
TABLES = """import pathlib, sys
from tasks.tracking.tracking_place import use_tracking
use_tracking(pathlib.Path(sys.argv[1]))"""
"""Makes MLflow's database. That of a run would lead other runs' files into that run's folder."""


@dataclass(frozen=True)
class Place:
    """A folder with all that a run keeps, and ``mark``, which its processes carry."""

    folder: Path
    mark: str

    @property
    def store(self) -> Path:
        """Of artefacts."""
        return self.folder / "store"

    @property
    def tracking(self) -> Path:
        """MLflow's database and files."""
        return self.folder / "mlruns"

    @property
    def prefect(self) -> Path:
        """PREFECT_HOME."""
        return self.folder / "prefect"

    @property
    def temporary(self) -> Path:
        """TMPDIR, with the locks of those that share a machine."""
        return self.folder / "tmp"

    def write(self, name: str = NAME, **settings: Any) -> Path:
        """The experiment file; ``settings`` replace top-level keys."""
        values = yaml.safe_load(EXPERIMENT.read_text(encoding="utf-8"))
        places = {"name": name, "store": str(self.store), "tracking": str(self.tracking)}
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**values, **places, **settings}), encoding="utf-8")
        return path

    def start(
        self, *, name: str = NAME, log: str = "", variables: Mapping[str, str] | None = None
    ) -> Run:
        """``mmdet2tflite run``; ``log`` tells several runs of a place apart."""
        words = ["-m", "mmdet2tflite.cli", "run", str(self.folder / f"{name}.yaml")]
        return self.start_words(words, log or name, variables)

    def start_words(
        self, words: list[str], log: str, variables: Mapping[str, str] | None = None
    ) -> Run:
        """Any Python command, beside the run."""
        self.temporary.mkdir(exist_ok=True)
        places = {"PREFECT_HOME": str(self.prefect), "TMPDIR": str(self.temporary)}
        return Run(
            f"{self.mark}/{log}",
            self.folder / f"{log}.log",
            words,
            {**FLOW_ENVIRONMENT, **places, **(variables or {})},
        )

    def working(self, stage: str) -> bool:
        """Whether a stage is being made: its work folder becomes the artefact when it ends."""
        return any(path.is_dir() for path in (self.store / ".work" / stage).glob("*"))

    def remove(self, places: Iterable[tuple[str, str]]) -> None:
        """Artefacts that are to be made again."""
        for place in places:
            shutil.rmtree(self.store.joinpath(*place))


@dataclass(frozen=True)
class Reference:
    """The undisturbed run."""

    place: Place
    expected: Fingerprint
    artifacts: Mapping[tuple[str, str], dict[str, Any]]
    """Manifests by stage and key."""
    whole_seconds: float
    cached_seconds: float
    """How long the run took, and how long the same command takes when everything is there."""

    @property
    def limit(self) -> float:
        """Seconds after which a run counts as stuck."""
        return max(LEAST_LIMIT, LIMIT * self.whole_seconds)

    def of_stage(self, stage: str) -> list[tuple[str, str]]:
        """Its artefacts, in the order in which they were made."""
        found = [place for place in self.artifacts if place[0] == stage]
        return sorted(found, key=lambda place: self.artifacts[place]["made"])

    def seconds(self, place: tuple[str, str]) -> float:
        """How long an artefact took."""
        return float(self.artifacts[place]["seconds"])

    def from_stage(self, stage: str) -> list[tuple[str, str]]:
        """All artefacts of a stage, and those that were made later."""
        first = min(self.artifacts[place]["made"] for place in self.of_stage(stage))
        return [place for place, found in self.artifacts.items() if found["made"] >= first]

    def copy(self, folder: Path, mark: str, *, store: bool = True) -> Place:
        """A place of its own, with all artefacts or with an empty store."""
        place = Place(folder, mark)
        folder.mkdir(parents=True)
        source = self.place
        if store:
            ignored = shutil.ignore_patterns(".work")
            shutil.copytree(source.store, place.store, ignore=ignored)
        shutil.copytree(source.folder / "tables", place.tracking)
        shutil.copytree(source.prefect, place.prefect)
        place.write()
        return place


def undisturbed(folder: Path, mark: str) -> Reference:
    """Run the experiment, and once more with everything cached.

    Raises:
        RuntimeError: it failed. There is nothing to compare with.
    """
    place = Place(folder, mark)
    folder.mkdir(parents=True)
    place.write()
    seconds = []
    for log in ("first", "second"):
        ended = place.start(log=log).end(SECONDS_UNDISTURBED)
        if ended.status != 0 or ended.orphans:
            raise RuntimeError(f"the undisturbed run ended with {ended.status}:\n{ended.output}")
        seconds.append(ended.seconds)
    (folder / SECONDS).write_text(json.dumps(seconds))
    subprocess.run(
        [sys.executable, "-c", TABLES, str(folder / "tables")],
        cwd=project_root(),
        env=environment(mark, {"PYTHONPATH": str(project_root())}),
        check=True,
    )
    return load_reference(folder, mark)


def load_reference(folder: Path, mark: str) -> Reference:
    """What ``undisturbed`` left."""
    place = Place(folder, mark)
    found = manifests(place.store)
    for (stage, key), manifest in found.items():
        manifest["made"] = (place.store / stage / key / MANIFEST).stat().st_mtime_ns
    whole, cached = json.loads((folder / SECONDS).read_text())
    return Reference(place, fingerprint(place.store, NAME), found, whole, cached)
