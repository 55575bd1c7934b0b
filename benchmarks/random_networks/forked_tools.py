"""The tools of ``convert`` in forks of a process that has imported them: imports are most of a
small network's time."""

import os
import runpy
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

from mmdet2tflite.convert.converters import onnx2tf
from mmdet2tflite.errors import QUOTED, ToolFailed, UserError
from mmdet2tflite.standalone import comparison

SUCCESS, FAILED = 0, 1
POLL_SECONDS = 0.005
LINES = 3
"""Of a log, in a reason."""


@contextmanager
def forked_tools() -> Iterator[None]:
    """In here onnx2tf's own writer and LiteRT run in forks of this process."""
    with patch.object(onnx2tf, "run_python", run), patch.object(comparison, "run_python", run):
        yield


def run(
    tool: str,
    module: str,
    arguments: Sequence[str | Path],
    *,
    log: Path,
    timeout: float,
    **_: object,
) -> None:
    """As ``run_python``, without its script and its limits.

    Raises:
        ToolFailed: the tool ended with an error, by a signal, or ran into its time-out.
    """
    pid = os.fork()
    if pid == 0:
        _become(module, [str(word) for word in arguments], log)
    end = time.monotonic() + timeout
    status: int | None = None
    while status is None:
        done, found = os.waitpid(pid, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(found)
        elif time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise ToolFailed(f"{tool} was stopped after its time-out of {timeout:g} s")
        else:
            time.sleep(POLL_SECONDS)
    if status != SUCCESS:
        what = f"ended with status {status}" if status > 0 else f"was killed by signal {-status}"
        tail = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        lines = "\n".join(QUOTED + line for line in tail[-LINES:])
        raise ToolFailed(f"{tool} {what}; the end of its log:\n{lines}")


def _become(module: str, words: list[str], log: Path) -> NoReturn:
    status = FAILED
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(number, 1)
        os.dup2(number, 2)
        sys.argv[1:] = words
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = SUCCESS
    except SystemExit as end:
        status = SUCCESS if not end.code else FAILED
    except UserError as error:
        print(error.found)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
