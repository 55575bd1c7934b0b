"""Why a row of a benchmark failed, in one line that says nothing of the machine it failed on."""

import re

from mmdet2tflite.errors import one_line

FOLDERS = re.compile(r"(?<![\w.])/(?:[^\s/:]+/)+")
"""Those of an absolute path: where the one who measured keeps the files is no part of a reason."""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ERROR = re.compile(r"^(?:[\w.]*(?:Error|Exception)|ERROR):.*", re.MULTILINE)
"""How a traceback ends, and what tools print of their own accord."""
ERRORS, LENGTH = 2, 200
"""A log's last error often says no more than that there was one before it."""


def reason(failure: str) -> str:
    """A failure in a line, without folders."""
    return FOLDERS.sub("", one_line(failure))


def last_errors(log: str) -> str:
    """The last errors in a tool's log, each cut to its beginning; "" if there are none."""
    text = FOLDERS.sub("", COLOURS.sub("", log))
    found = list(dict.fromkeys(line[:LENGTH] for line in ERROR.findall(text)))
    return " → ".join(found[-ERRORS:])
