"""Opens a file of a user's, or of a stranger's: a regular one, and not more of it than is stated.

A named pipe would be waited for without end, a device never ends, and both look like any other path
to ``open``. Every reader of users' files opens them here. All that is wrong is an OSError whose
``strerror`` says what, or the UserError that the caller names.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from mmdet2tflite.errors import UserError

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
"""What is no file, by its type in ``st_mode``."""
MB = 1_000_000


def open_user_file(path: str | os.PathLike[str], most: int | None) -> BinaryIO:
    """Open a regular file of at most so many bytes, without waiting for anybody.

    Args:
        path: may be a symbolic link; what it leads to counts.
        most: None for any number.

    Raises:
        OSError: there is none, or it is a folder, a pipe, a socket or a device, or larger, or its
            name is none that a file can have.
    """
    try:
        # Opening a pipe would wait for a writer; and what was looked at first could change.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError:  # a zero, or half of a character
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
            raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))
        if most is not None and status.st_size > most:
            sizes = f"it has {status.st_size / MB:,.1f} MB; {most / MB:,.1f} MB are read"
            raise OSError(errno.EFBIG, sizes, str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_user_file(path: str | os.PathLike[str], most: int) -> bytes:
    """The content of a regular file of at most so many bytes. Raises as ``open_user_file``."""
    with open_user_file(path, most) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1)  # read() takes as much memory as it is asked for
    if len(content) > size:
        raise OSError(errno.EFBIG, "it grows while it is read", str(path))
    return content


def read_user_text(path: Path, most: int) -> str:
    """As ``read_user_file``, of a text in UTF-8. Raises ValueError, too: it is none."""
    return read_user_file(path, most).decode("utf-8-sig")


def open_regular(
    path: str | os.PathLike[str], *, limit: int | None, error: type[UserError]
) -> BinaryIO:
    """As ``open_user_file``; ``error`` is raised in place of an OSError."""
    try:
        return open_user_file(path, limit)
    except OSError as reason:
        raise _as(error, path, reason) from reason


def check_regular(
    path: str | os.PathLike[str], *, limit: int | None, error: type[UserError]
) -> None:
    """What ``open_regular`` checks, for a file that a library opens by its name."""
    open_regular(path, limit=limit, error=error).close()


def read_regular(path: str | os.PathLike[str], *, limit: int, error: type[UserError]) -> bytes:
    """As ``read_user_file``; ``error`` is raised in place of an OSError."""
    try:
        return read_user_file(path, limit)
    except OSError as reason:
        raise _as(error, path, reason) from reason


def _as(error: type[UserError], path: str | os.PathLike[str], reason: OSError) -> UserError:
    return error(f"{path} cannot be read: {reason.strerror}", "a file", "check the path")
