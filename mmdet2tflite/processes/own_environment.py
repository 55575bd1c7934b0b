"""An environment of its own, for a tool that does not fit the project's lock.

1. ``environments/NAME.lock`` says what is in it; ``make lock`` resolves that from ``NAME.in``.
2. It lies in the user's cache, in a folder with the digest of its lock in its name: another lock is
   another environment. uv makes it when a tool needs it for the first time.
3. It counts as made once ``STAMP`` is in it; what an interruption left half-made is made afresh.
4. A child that runs in it (``run_python(…, python=…)``) imports this project's modules from their
   folder. They may need nothing that the environment does not hold.
"""

import shutil
import sys
from pathlib import Path

from platformdirs import user_cache_path

from mmdet2tflite.errors import ConfigError
from mmdet2tflite.files.digest import file_sha256
from mmdet2tflite.processes.lock import exclusive
from mmdet2tflite.processes.toolchain import run_python

FOLDER = "environments"
STAMP = ".complete"


def lock_digest(root: Path, name: str) -> str:
    """What an environment holds, as a cache's key needs it.

    Args:
        root: the project's folder.

    Raises:
        ConfigError: there is no such environment.
    """
    return file_sha256(_lock(root, name))


def environment_python(root: Path, name: str, log: Path, timeout: float | None = None) -> Path:
    """The interpreter of an environment, which is made first if need be.

    Args:
        root: the project's folder.
        log: of the installation.
        timeout: seconds for each step of it.

    Raises:
        ConfigError: there is no such environment.
        ToolFailed: uv could not make it.
    """
    lock = _lock(root, name)
    folder = user_cache_path("mmdet2tflite") / f"{name}-{file_sha256(lock)[:12]}"
    python = folder / "bin" / "python"
    with exclusive(folder.with_name(f".{folder.name}.lock")):
        if not (folder / STAMP).exists():
            shutil.rmtree(folder, ignore_errors=True)
            for words in (
                ["venv", "--quiet", "--python", sys.executable, str(folder)],
                ["pip", "sync", "--quiet", "--python", str(python), str(lock)],
            ):
                run_python("uv", "uv", words, log=log, timeout=timeout)
            (folder / STAMP).touch()
    return python


def _lock(root: Path, name: str) -> Path:
    path = root / FOLDER / f"{name}.lock"
    if not path.is_file():
        raise ConfigError(f"no environment {name!r}: {path} does not exist", "a file of the clone")
    return path
