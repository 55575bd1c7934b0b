"""How a command of ours ends, decided in one place."""

import sys
from collections.abc import Callable

from mmdet2tflite.errors import UserError

INCOMPLETE = 1
WRONG_INPUT = 2
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


class Incomplete(Exception):
    """Everything that could be done is done, and something was not: the message says what."""


class Interrupted(Exception):
    """Ctrl-C, where a library would take KeyboardInterrupt for its own business."""


def run_and_report(function: Callable[[], object]) -> int:
    """Call ``function`` and return the process's exit status.

    0 when it returns; 1 with the message for ``Incomplete``; 2 with the message and no traceback
    for what the user can mend; 130 after Ctrl-C. Any other exception is a bug and passes through
    with its traceback.
    """

    try:
        function()
    except UserError as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT
    except Incomplete as error:
        print(error, file=sys.stderr)
        return INCOMPLETE
    except (KeyboardInterrupt, Interrupted):
        print(
            "interrupted; finished stages are kept, run the same command again to go on",
            file=sys.stderr,
        )
        return INTERRUPTED
    return 0
