"""What a child is asked, and what it tells its parent beside its log.

A request is a file of JSON. Messages are lines of JSON over a pipe of their own: nothing that a
tool prints is taken for one. The child inherits the pipe; its own children, such as the ranks that
torchrun starts, inherit nothing and open that of their parent, by its path. Where nobody listens,
messages are printed.
"""

import fcntl
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # slow, and many children need none
    from pydantic import BaseModel

PIPE = "MMDET2TFLITE_MESSAGES"
"""The variable with the pipe's path."""


def leave_request(request: "BaseModel", log: Path) -> Path:
    """Write the file that a worker takes as its argument, beside its log: ``<log>.json``."""
    file = log.with_suffix(".json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(request.model_dump(mode="json"), indent=1), encoding="utf-8")
    return file


def answer[Q: "BaseModel"](work: Callable[[Q], object], request: type[Q]) -> None:
    """Called in a worker: do its work, and send what that returns, unless it is None."""
    from pydantic_core import to_jsonable_python

    result = work(request.model_validate(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
    if result is not None:
        send("result", to_jsonable_python(result))


def progress(**message: Any) -> None:
    """Called in a child: tell how far the work is.

    ``completed`` and ``total`` move the bar, ``description`` names it; other keys are shown. A
    message with ``caution`` is a sentence instead, which stays in the terminal.
    """
    send("progress", message)


def send(kind: Literal["progress", "error", "result"], content: Any) -> None:
    """Called in a child: send a value that JSON knows."""
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
