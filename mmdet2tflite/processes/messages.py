"""What a child tells its parent beside its log: a line of JSON each, over a pipe of their own.

Nothing that a tool prints is taken for one. The child inherits the pipe; its own children, such as
the ranks that torchrun starts, inherit nothing and open that of their parent, by its path. Where
nobody listens, messages are printed.
"""

import fcntl
import json
import os
from typing import Any, Literal

PIPE = "MMDET2TFLITE_MESSAGES"
"""The variable with the pipe's path."""


def progress(**message: Any) -> None:
    """Tell how far the work is.

    ``completed`` and ``total`` move the bar, ``description`` names it; other keys are shown. A
    message with ``caution`` is a sentence instead, which stays in the terminal.
    """
    send("progress", message)


def send(kind: Literal["progress", "error", "result"], content: Any) -> None:
    """Send a value that JSON knows."""
    line = json.dumps({kind: content}) + "\n"
    if pipe := os.environ.get(PIPE):
        with open(pipe, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # ranks share the pipe, and a line may be a long one
            file.write(line.encode())
    else:
        print(line, end="", flush=True)


def own_pipe() -> None:
    """Make ``/proc/self``, which is what the parent says, mean this process in its children too."""
    if PIPE in os.environ:
        os.environ[PIPE] = os.environ[PIPE].replace("self", str(os.getpid()))
