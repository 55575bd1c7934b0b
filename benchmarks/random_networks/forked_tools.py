"""The tools of ``convert`` in forks of a process that has imported them: imports are most of a
small network's time.

The forks are multiprocessing's fork server's, which has no threads. What converts a network has
those of ONNX Runtime: a fork of it waits for ever, now and then, for a lock that one of them held.
"""

import os
import runpy
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

from mmdet2tflite.convert.converters import onnx2tf
from mmdet2tflite.errors import QUOTED, ToolFailed, UserError
from mmdet2tflite.standalone import comparison

SUCCESS, FAILED = 0, 1
LINES = 3
"""Of a log, in a reason."""
BEFOREHAND = (
    "onnx2tf.onnx2tf",
    "mmdet2tflite.convert.finish_tflite",
    "mmdet2tflite.convert.run_worker",
    "mmdet2tflite.tflite.padding_flag",
    "benchmarks.random_networks.one_network",
)
"""Modules that every fork would otherwise import."""
SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(list(BEFOREHAND))


@contextmanager
def forked_tools() -> Iterator[None]:
    """In here onnx2tf's own writer and LiteRT run in forks of the server."""
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
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in arguments]
    fork = SERVER.Process(target=_become, args=(os.getpgid(0), module, words, log))
    fork.start()
    fork.join(timeout)
    status = fork.exitcode
    if status is None:
        fork.kill()
        fork.join()
        raise ToolFailed(f"{tool} was stopped after its time-out of {timeout:g} s")
    if status != SUCCESS:
        what = f"ended with status {status}" if status > 0 else f"was killed by signal {-status}"
        tail = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        lines = "\n".join(QUOTED + line for line in tail[-LINES:])
        raise ToolFailed(f"{tool} {what}; the end of its log:\n{lines}")


def print_to(log: Path) -> None:
    """From now on this process, and what it starts, writes into a file."""
    number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(number, 1)
    os.dup2(number, 2)


def _become(group: int, module: str, words: Sequence[str], log: Path) -> None:
    status = FAILED
    try:
        os.setpgid(0, group)  # of the network's process, to end with it
        print_to(log)
        sys.argv[1:] = words
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = SUCCESS
    except SystemExit as end:
        status = SUCCESS if not end.code else FAILED
    except UserError as error:
        print(error.found)
    except Exception:
        traceback.print_exc()
    sys.exit(status)
