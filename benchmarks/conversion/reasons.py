"""Why a row of a benchmark failed, in words that say nothing of the machine it failed on."""

import re

FOLDERS = re.compile(r"(?<![\w.])/(?:[^\s/:]+/)+")
"""Those of an absolute path: where the one who measured keeps the files is no part of a reason."""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ERROR = re.compile(r"^(?:[\w.]*(?:Error|Exception)|ERROR):.*", re.MULTILINE)
"""How a traceback ends, and what tools print of their own accord."""
ERRORS, LENGTH = 2, 200
"""A log's last error often says no more than that there was one before it."""


def without_folders(text: str) -> str:
    """A failure's text, in which a file is named by its name alone."""
    return FOLDERS.sub("", text)


def last_errors(log: str) -> str:
    """The last errors in a tool's log, each cut to its beginning; "" if there are none."""
    text = without_folders(COLOURS.sub("", log))
    found = list(dict.fromkeys(line[:LENGTH] for line in ERROR.findall(text)))
    return " → ".join(found[-ERRORS:])
