"""The one family of errors that a user can mend: what was found, what was expected, what to do.

The command line prints such an error without a traceback and exits with status 2. Anything else
that escapes is a bug of ours and keeps its traceback.
"""

import errno

from mmdet2tflite.safe_text import visible_lines, without_password

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""``OSError.errno`` of what ``disk_full`` explains."""
QUOTED = "    | "
"""Begins a line of a program's log that an error's text quotes."""


class UserError(Exception):
    """Something outside the program is not as it must be.

    Its text has neither control characters nor passwords, whatever its parts hold.

    Args:
        found: what is there, with names (file, key, id) and values.
        expected: what should have been there.
        remedy: what the user can do about it.
    """

    title = "Error"

    def __init__(self, found: str, expected: str = "", remedy: str = "") -> None:
        super().__init__(found, expected, remedy)
        self.found, self.expected, self.remedy = found, expected, remedy

    def __str__(self) -> str:
        lines = [f"{self.title}: {self.found}"]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.remedy:
            lines.append(f"  to do:    {self.remedy}")
        return without_password(visible_lines("\n".join(lines)))


class ConfigError(UserError):
    """An experiment, override or setting is wrong."""

    title = "Configuration"


class DataError(UserError):
    """A data set, image or annotation is wrong."""

    title = "Data set"


class ImageError(DataError):
    """A picture given to a detector is wrong."""

    title = "Image"


class ModelError(UserError):
    """A checkpoint or model file is not what the stage needs."""

    title = "Model"


class StoreError(UserError):
    """The artefact store cannot be read or written."""

    title = "Artefact store"


def disk_full(where: object) -> StoreError:
    """The error for ``DISK_FULL``, in this process or in a child."""
    return StoreError(
        f"no space left on the disk of {where}",
        "room for the artefact",
        "free some space and run again; finished stages are kept, training goes on where it was",
    )


class ToolFailed(UserError):
    """A tool in a child process ended with an error, died, or ran into its time-out."""

    title = "Tool failed"


class ToolKilled(ToolFailed):
    """A tool got SIGKILL from somebody else, mostly from a kernel that was out of memory."""


class ParityError(UserError):
    """A conversion does not reproduce its source within the tolerance."""

    title = "Parity"


class RegistryError(UserError):
    """The model registry does not hold what is asked for, or somebody else changed it meanwhile."""

    title = "Model registry"


class ServiceError(UserError):
    """A server does not answer, does not start, or runs already."""

    title = "Service"


def one_line(text: str) -> str:
    """The first line of an error's text and, of a log that it quotes, the last one."""
    first, *others = text.splitlines()
    quoted = [line.removeprefix(QUOTED) for line in others if line.startswith(QUOTED)]
    return " ".join([first, *quoted[-1:]])
