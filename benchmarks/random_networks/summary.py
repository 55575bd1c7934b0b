"""The summary of a run: counts, and why networks were refused."""

import re
from collections import Counter
from collections.abc import Sequence

from benchmarks.random_networks.verdict import FAILURES, OUTCOMES, Verdict

REASON = 110
"""Characters of a reason."""
VARIES = re.compile(r"/tmp\S+|\[[\d, ]*\]|\([\d, ]*\)|/net/(?=\w)|-?\d+(\.\d+)?(e[+-]?\d+)?|_+")
"""Folders, shapes, numbers: what makes one reason look like two."""


def summarise(verdicts: Sequence[Verdict]) -> str:
    """Lines for the terminal."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    seconds = sum(verdict.seconds for verdict in verdicts)
    lines = [f"{len(verdicts)} networks, {seconds:.0f} s of work"]
    lines += [f"{counts[outcome]:6} {outcome}" for outcome in OUTCOMES]
    for outcome in ("refused", "invalid"):
        reasons: dict[str, list[int]] = {}
        for verdict in verdicts:
            if verdict.outcome == outcome:
                reasons.setdefault(_kind(verdict.reason), []).append(verdict.seed)
        lines += [f"why {outcome}:"] if reasons else []
        for reason, seeds in sorted(reasons.items(), key=lambda item: -len(item[1])):
            some = ", ".join(map(str, seeds[:4]))
            lines.append(f"{len(seeds):6} {reason} ({some}{' …' if len(seeds) > 4 else ''})")
    for verdict in verdicts:
        if verdict.outcome in FAILURES:
            last = verdict.reason.strip().splitlines()[-1:]
            lines.append(f"seed {verdict.seed}: {verdict.outcome}: {''.join(last)}")
    return "\n".join(lines)


def _kind(reason: str) -> str:
    """A reason without what differs from network to network."""
    first, *others = reason.splitlines() or [""]
    quoted = [line.strip(" |") for line in others if line.startswith("    | ")]
    text = " ".join([first, *quoted[-1:]])
    return VARIES.sub("_", text)[:REASON]
