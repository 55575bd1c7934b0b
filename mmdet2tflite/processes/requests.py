"""Workers: children of this project's own, which take a typed request and send a typed result."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from mmdet2tflite.processes.messages import send


def leave_request(request: BaseModel, log: Path) -> Path:
    """Write the file that a worker takes as its argument, beside its log: ``<log>.json``."""
    file = log.with_suffix(".json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(request.model_dump(mode="json"), indent=1), encoding="utf-8")
    return file


def answer[Q: BaseModel](work: Callable[[Q], object], request: type[Q]) -> None:
    """Called in a worker: do its work, and send what that returns, unless it is None."""
    result = work(request.model_validate(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
    if result is not None:
        send("result", to_jsonable_python(result))
