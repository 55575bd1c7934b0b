"""Opens a file of a user's, or of a stranger's: a regular one, and not more of it than is stated.

A named pipe would be waited for without end, ``/dev/zero`` never ends. Every reader of users' files
opens them here. All that is wrong is an OSError whose ``strerror`` says what.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
"""What is no file, by its type in ``st_mode``."""
MB = 1_000_000


@contextmanager
def open_user_file(path: Path, most: int) -> Iterator[BinaryIO]:
    """Open a regular file of at most so many bytes.

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
        _check_size(status.st_size, most, path)
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def read_user_file(path: Path, most: int) -> bytes:
    """The content of a regular file of at most so many bytes. Raises as ``open_user_file``."""
    with open_user_file(path, most) as file:
        content = file.read(most + 1)  # it may grow meanwhile, and those of /proc have no size
    _check_size(len(content), most, path)
    return content


def read_user_text(path: Path, most: int) -> str:
    """As ``read_user_file``, of a text in UTF-8. Raises ValueError, too: it is none."""
    return read_user_file(path, most).decode("utf-8-sig")


def _check_size(size: int, most: int, path: Path) -> None:
    if size > most:
        message = f"it has {size / MB:,.0f} MB; {most / MB:,.0f} MB are read"
        raise OSError(errno.EFBIG, message, str(path))
