"""Opening a file that a stranger may have made: a regular one of a bounded size, or a UserError.

A FIFO would wait for ever, a device never end. Both look like any other path to ``open``.
"""

import os
import stat
from typing import BinaryIO

from mmdet2tflite.errors import UserError

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(
    path: str | os.PathLike[str], *, limit: int | None, error: type[UserError]
) -> BinaryIO:
    """Open a regular file for reading, without waiting for anybody.

    Args:
        path: may be a symbolic link; what it leads to counts.
        limit: most bytes that the file may have; None for any number.
        error: raised if it is missing, not to be read, no regular file, or larger.

    Raises:
        UserError: ``error``.
    """
    try:
        # Without O_NONBLOCK, the open of a FIFO waits until somebody writes to it.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as reason:  # ValueError: a NUL byte in the path
        said = getattr(reason, "strerror", None) or str(reason)
        raise error(f"{path} cannot be read: {said}", "a file", "check the path") from reason
    try:
        found = os.fstat(number)
        _check(path, found, limit, error)
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def check_regular(
    path: str | os.PathLike[str], *, limit: int | None, error: type[UserError]
) -> None:
    """What ``open_regular`` checks, for a file that a library opens by its name.

    Raises:
        UserError: ``error``.
    """
    open_regular(path, limit=limit, error=error).close()


def read_regular(path: str | os.PathLike[str], *, limit: int, error: type[UserError]) -> bytes:
    """The content of a file that ``open_regular`` accepts.

    Raises:
        UserError: ``error``; also for one that grows meanwhile.
    """
    with open_regular(path, limit=limit, error=error) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            content = file.read(size + 1)  # read() takes as much memory as it is asked for
        except OSError as reason:
            raise error(f"{path} cannot be read: {reason.strerror}", "a file") from reason
    if len(content) > size:
        raise error(f"{path} grows while it is read", "a complete file", "wait until it is written")
    return content


def _check(
    path: str | os.PathLike[str], found: os.stat_result, limit: int | None, error: type[UserError]
) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_kind, name in KINDS if is_kind(found.st_mode)), "no regular file")
        raise error(f"{path} cannot be read: it is {kind}", "a file", "check the path")
    if limit is not None and found.st_size > limit:
        raise _too_large(path, found.st_size, limit, error)


def _too_large(
    path: str | os.PathLike[str], size: int, limit: int, error: type[UserError]
) -> UserError:
    return error(
        f"{path} has {size:,} bytes", f"at most {limit:,}", "check that it is the file you mean"
    )
