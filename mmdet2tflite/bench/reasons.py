"""Why a row of a benchmark failed, in one line that says nothing of the machine it failed on."""

import re

FOLDERS = re.compile(r"(?<![\w.])/(?:[^\s/:]+/)+")
"""Those of an absolute path: where the one who measured keeps the files is no part of a reason."""
QUOTED = "    | "
"""Begins a line of a tool's log in ``ToolFailed``."""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ERROR = re.compile(r"^(?:[\w.]*(?:Error|Exception)|ERROR):.*", re.MULTILINE)
"""How a traceback ends, and what tools print of their own accord."""
ERRORS, LENGTH = 2, 200
"""A log's last error often says no more than that there was one before it."""


def reason(failure: str) -> str:
    """A failure's first line, and of a log that it quotes the last."""
    first, *others = failure.splitlines()
    quoted = [line.removeprefix(QUOTED) for line in others if line.startswith(QUOTED)]
    return FOLDERS.sub("", " ".join([first, *quoted[-1:]]))


def last_errors(log: str) -> str:
    """The last errors in a tool's log, each cut to its beginning; "" if there are none."""
    text = FOLDERS.sub("", COLOURS.sub("", log))
    found = list(dict.fromkeys(line[:LENGTH] for line in ERROR.findall(text)))
    return " → ".join(found[-ERRORS:])
