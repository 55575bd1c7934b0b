"""What became of one random network."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Outcome = Literal["right", "refused", "mismatch", "traceback", "invalid"]
OUTCOMES: tuple[Outcome, ...] = ("right", "refused", "mismatch", "traceback", "invalid")
FAILURES: tuple[Outcome, ...] = ("mismatch", "traceback")


@dataclass(frozen=True)
class Verdict:
    """One line of the record.

    Args:
        seed: of the network.
        outcome: ``invalid`` where ONNX Runtime does not run the network itself.
        reason: the error, or the worst output; empty where all is right.
        network: its layers, heads and guises.
        seconds: that it took.
    """

    seed: int
    outcome: Outcome
    reason: str
    network: str
    seconds: float

    def line(self) -> str:
        """As JSON, in one line."""
        return json.dumps(asdict(self)) + "\n"


def read(lines: Iterable[str]) -> dict[int, Verdict]:
    """By seed. A last line that an interruption has cut off is left out."""
    found = {}
    for line in lines:
        if line.endswith("\n"):
            verdict = Verdict(**json.loads(line))
            found[verdict.seed] = verdict
    return found
