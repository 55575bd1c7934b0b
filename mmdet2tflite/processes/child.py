"""``python -m mmdet2tflite.processes.child MODULE ARGUMENTS``: a module that dies with its parent.

``--warm MODULE`` imports that one, and takes what to run as a JSON list from its standard input.

A user's mistake found inside the child is handed to the parent as data, not as a traceback.
"""

import ctypes
import json
import os
import runpy
import signal
import sys
from importlib import import_module
from typing import NoReturn

from mmdet2tflite.errors import DISK_FULL, UserError, disk_full
from mmdet2tflite.processes.exit_status import WRONG_INPUT
from mmdet2tflite.processes.messages import own_pipe, send
from mmdet2tflite.processes.toolchain import WARM

PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent() -> None:
    """Ask Linux for SIGKILL when the parent is gone; elsewhere do nothing."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it went between the two calls
            os._exit(1)


def main() -> None:
    """Run the module named in the arguments as ``__main__``."""
    die_with_parent()
    own_pipe()
    if sys.argv[1] == WARM:
        import_module(sys.argv[2])
        sys.argv[1:] = json.load(sys.stdin)
    module, *sys.argv[1:] = sys.argv[1:]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except UserError as error:
        _hand_over(error)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        _hand_over(disk_full(error.filename or "the store or the temporary folder"))


def _hand_over(error: UserError) -> NoReturn:
    send("error", [type(error).__name__, error.found, error.expected, error.remedy])
    sys.exit(WRONG_INPUT)


if __name__ == "__main__":
    main()
