"""The tools of ``convert`` in forks of a process that has imported them: imports are most of a
small network's time.

A network's process is a fork of multiprocessing's fork server, and forks a process for its tools
before it has a thread. Later it has those of ONNX Runtime: a fork of it would wait for ever, now
and then, for a lock that one of them held.
"""

import os
import runpy
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
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
FORK, SERVER = get_context("fork"), get_context("forkserver")
SERVER.set_forkserver_preload(list(BEFOREHAND))


@contextmanager
def forked_tools() -> Iterator[None]:
    """In here onnx2tf's own writer and LiteRT run in forks; to be entered without threads."""
    ours, theirs = FORK.Pipe()
    tools = FORK.Process(target=_serve, args=(theirs,))
    tools.start()
    run_here = partial(run, ours)
    try:
        with (
            patch.object(onnx2tf, "run_python", run_here),
            patch.object(comparison, "run_python", run_here),
        ):
            yield
    finally:
        ours.send(None)
        tools.join()


def run(
    tools: Connection,
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
    tools.send((module, [str(word) for word in arguments], log, timeout))
    status = tools.recv()
    if status is None:
        raise ToolFailed(f"{tool} was stopped after its time-out of {timeout:g} s")
    if status != SUCCESS:
        what = f"ended with status {status}" if status > 0 else f"was killed by signal {-status}"
        tail = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        lines = "\n".join(QUOTED + line for line in tail[-LINES:])
        raise ToolFailed(f"{tool} {what}; the end of its log:\n{lines}")


def _serve(requests: Connection) -> None:
    """Run a tool for each request, and answer with its status, or None for a time-out."""
    while (request := requests.recv()) is not None:
        *what, timeout = request
        fork = FORK.Process(target=_become, args=what)
        fork.start()
        fork.join(timeout)
        status = fork.exitcode
        if status is None:
            fork.kill()
            fork.join()
        requests.send(status)


def print_to(log: Path) -> None:
    """From now on this process, and what it starts, writes into a file."""
    number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(number, 1)
    os.dup2(number, 2)


def _become(module: str, words: Sequence[str], log: Path) -> None:
    status = FAILED
    try:
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
