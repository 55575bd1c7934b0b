"""Signals to the processes of a run, placed by the stage that runs."""

import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import zip_longest

import psutil

from benchmarks.chaos.processes import Run, TargetName, end_all
from benchmarks.chaos.trial import Case, NotTried, Trial
from benchmarks.chaos.verdict import Happened

GROUP = "kill"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TRACKING = "tracking"
"""No stage: all are cached, and MLflow is told."""
TARGETS: dict[str, tuple[TargetName, ...]] = {
    "dataset": ("flow", "server"),
    "checkpoint": ("flow", "tool", "loader", "server"),
    "onnx": ("flow", "tool", "server"),
    "rewritten": ("flow", "tool", "server"),
    "tflite": ("flow", "tool", "server"),
    "quantized": ("flow", "tool", "server"),
    "report": ("flow", "tool", "server"),
    "comparison": ("flow", "server"),
    TRACKING: ("flow", "server"),
}
"""Stages, as the store names them, and the processes that there are meanwhile."""
ALL_NEED = ("checkpoint", "onnx")
"""Without them there is nothing to go on with; of the others one variant may fail."""
SHARES = (0.85, 0.5, 0.25, 0.05)
"""Of the time that is left of a stage, within which the blow falls; the next one after a miss."""
BRIEF = 0.5
"""Seconds from the first sight of a loader: an epoch of the tiny run is over in one or two."""
FIRST_LINE = "dataset"


@dataclass(frozen=True)
class Kill:
    """A signal to a process while a stage runs. Called, it is a case's disturbance."""

    stage: str
    target: TargetName
    number: signal.Signals

    @property
    def name(self) -> str:
        """``kill-onnx-tool-TERM``"""
        return f"kill-{self.stage}-{self.target}-{self.number.name.removeprefix('SIG')}"

    def __call__(self, trial: Trial) -> AbstractContextManager[Happened]:
        """See ``Disturb``. Raises NotTried if every blow missed its stage."""
        return self._killed(trial)

    @contextmanager
    def _killed(self, trial: Trial) -> Iterator[Happened]:
        place = trial.place
        for attempt, share in enumerate(SHARES):
            if attempt:
                shutil.rmtree(place.folder)
                trial.reference.copy(place.folder, place.mark)
            seconds = self._prepare(trial)
            run = place.start()
            hit = self._blow(run, trial, seconds * share)
            if hit:
                ended = run.end(trial.reference.limit)
                break
            end_all(run.mark)
            run.end(trial.reference.limit)
        else:
            raise NotTried(f"{len(SHARES)} blows all missed the stage {self.stage}")
        variant = self.target in ("tool", "loader") and self.stage not in ALL_NEED
        sent = self.number if self.target == "flow" else None
        yield Happened([ended], hit, sent, prompt=not variant)

    def _prepare(self, trial: Trial) -> float:
        """Remove what is to be made; how long it takes."""
        if self.stage == TRACKING:
            return trial.reference.cached_seconds / 2
        wanted = trial.rng.choice(trial.reference.of_stage(self.stage))
        trial.place.remove([wanted])
        return trial.reference.seconds(wanted)

    def _blow(self, run: Run, trial: Trial, seconds: float) -> str:
        """What was hit, and when; empty if nothing was."""
        fixed = self.target in ("flow", "server")
        if fixed and not run.until(lambda: bool(run.targets(self.target))):
            return ""
        targets = run.targets(self.target) if fixed else []
        if not run.until(lambda: self._is_on(run, trial)):
            return ""
        begun = time.monotonic()
        targets = targets or self._wait_for_targets(run, trial)
        left = max(0.0, seconds - (time.monotonic() - begun))
        time.sleep(trial.rng.uniform(0, BRIEF if self.target == "loader" else left))
        targets = targets if fixed else self._wait_for_targets(run, trial)
        if not targets:
            return ""
        target = trial.rng.choice(targets)
        at, words = time.monotonic() - begun, _words(target)
        if not run.strike(target, self.number, lambda: self._is_on(run, trial)):
            return ""
        return f"{self.number.name} to {self.target} ({words}) {at:.2f} s into {self.stage}"

    def _wait_for_targets(self, run: Run, trial: Trial) -> list[psutil.Process]:
        """Tools follow one another, and loaders come with each epoch; none if the stage ends."""
        while self._is_on(run, trial) and run.alive:
            if found := run.targets(self.target):
                return found
        return []

    def _is_on(self, run: Run, trial: Trial) -> bool:
        if self.stage == TRACKING:
            return run.alive and FIRST_LINE in run.output
        return trial.place.working(self.stage)


def plan_kills() -> list[Kill]:
    """All kills that there are: any first part has as many of each stage, and of its targets."""
    turns = zip_longest(*(_all_kills(stage) for stage in TARGETS))
    return [kill for turn in turns for kill in turn if kill]


def kill_cases() -> list[Case]:
    """``plan_kills`` as cases."""
    return [Case(kill.name, f"{GROUP} in {kill.stage}", kill) for kill in plan_kills()]


def _all_kills(stage: str) -> list[Kill]:
    """Every combination, neighbours different in both; each stage begins with another one."""
    targets: Sequence[TargetName] = TARGETS[stage]
    first = list(TARGETS).index(stage)
    return [
        Kill(stage, target, SIGNALS[(first + turn + place) % len(SIGNALS)])
        for turn in range(len(SIGNALS))
        for place, target in enumerate(targets)
    ]


def _words(process: psutil.Process) -> str:
    try:
        words = [word for word in process.cmdline()[1:] if word != "-m"]
    except psutil.Error:
        return "gone"
    return " ".join(words[:2])
