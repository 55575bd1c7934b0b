"""What became of a case, judged by how its runs ended and what they left.

* survived: the disturbed run ended, in time and with a word or by the very signal that it was sent;
  the same command, run again, ended with status 0; and all is as if nothing had happened.
* lost: an artefact is gone, damaged or another one, or the second run failed.
* stuck: a run was over its limit, or took longer to fail than a person waits.
* traceback: Python's, or an end that nobody caused and nothing explains.
* orphans: processes of a run still lived after it.
"""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.chaos.processes import Ended, has_traceback

type Kind = Literal["lost", "stuck", "traceback", "orphans"]

KINDS: tuple[Kind, ...] = ("lost", "stuck", "traceback", "orphans")
TAIL_LINES = 30


@dataclass(frozen=True)
class Finding:
    """Something that must not happen."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Happened:
    """What a case did, and how the runs ended that it did it to.

    Args:
        sent: the signal that the run itself was sent.
        prompt: whether a run that fails must do so soon after the blow; one of whose variants alone
            was hit goes on with the others.
        must_succeed: nothing was done to the runs but that they had company.
    """

    ended: Sequence[Ended]
    detail: str
    sent: signal.Signals | None = None
    prompt: bool = True
    must_succeed: bool = False


@dataclass(frozen=True)
class Result:
    """One case. ``not_tried`` is the reason why not, if it was not."""

    name: str
    group: str
    detail: str = ""
    not_tried: str = ""
    findings: Sequence[Finding] = ()
    statuses: Sequence[int | None] = ()
    """Of the disturbed runs and, last, of the second run."""
    seconds: float = 0.0
    outputs: Sequence[str] = field(default=(), repr=False)
    """The end of what each run printed, where something was found."""

    @property
    def survived(self) -> bool:
        """Tried, and nothing was found."""
        return not (self.not_tried or self.findings)

    def has(self, kind: Kind) -> bool:
        """Whether something of a kind was found."""
        return any(finding.kind == kind for finding in self.findings)


def judge(happened: Happened, again: Ended, lost: Sequence[str], bound: float) -> list[Finding]:
    """All that is wrong.

    Args:
        again: the second run.
        lost: what is gone, damaged or different after it.
        bound: seconds within which a run that was hit and fails must have ended.
    """
    found = [
        finding
        for number, ended in enumerate(happened.ended)
        for finding in _of_run(f"run {number + 1}", ended, happened.sent)
    ]
    for number, ended in enumerate(happened.ended):
        late = ended.after_blow is not None and ended.after_blow > bound
        if happened.prompt and ended.status and late:
            text = f"run {number + 1} failed only {ended.after_blow:.0f} s after the blow"
            found.append(Finding("stuck", text))
        if happened.must_succeed and ended.status:
            found.append(Finding("lost", f"run {number + 1}: {_end(ended)}"))
    found += _of_run("the second run", again, None)
    if again.status:
        found.append(Finding("lost", f"the second run: {_end(again)}"))
    if lost:
        found.append(Finding("lost", "not as undisturbed: " + "; ".join(lost)))
    return found


def _of_run(which: str, ended: Ended, sent: signal.Signals | None) -> list[Finding]:
    found = []
    if ended.status is None:
        found.append(Finding("stuck", f"{which} did not end within {ended.seconds:.0f} s"))
    if has_traceback(ended.output):
        found.append(Finding("traceback", f"{which}: {_end(ended)}"))
    elif ended.status and ended.status < 0 and -ended.status != sent:
        found.append(Finding("traceback", f"{which} died unexplained: {_end(ended)}"))
    elif ended.status and ended.status > 0 and not ended.last_line:
        found.append(Finding("traceback", f"{which}: status {ended.status} without a word"))
    if ended.orphans:
        found.append(Finding("orphans", f"{which} left {'; '.join(ended.orphans)}"))
    return found


def _end(ended: Ended) -> str:
    if ended.status is not None and ended.status < 0:
        return f"{signal.Signals(-ended.status).name}, {ended.last_line[:200]}"
    return f"status {ended.status}, {ended.last_line[:200]}"


def tail(output: str) -> str:
    """The last lines of an output."""
    return "\n".join(output.splitlines()[-TAIL_LINES:])
