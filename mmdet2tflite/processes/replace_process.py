"""Replaces the process of a command by a program of the flows, which the library may not import."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

FLOW_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # The terminal is ours: a bar and a line per stage. Prefect's own log still goes to its server.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # Prefect's own 20 s are too short for a first start, on an empty database, on a busy machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}


def replace_process(root: Path, module: str, words: Sequence[str]) -> NoReturn:
    """Replace this process with ``python -m module words`` in the project root."""
    os.chdir(root)
    os.execve(
        sys.executable, [sys.executable, "-m", module, *words], {**FLOW_ENVIRONMENT, **os.environ}
    )
