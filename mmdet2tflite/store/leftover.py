"""What lies in a store and is no artefact (any more)."""

from dataclasses import dataclass
from datetime import datetime

DAMAGED = ".damaged"
"""Sub-folder of the root with what was set aside, as ``<stage>/<key>/``."""


@dataclass(frozen=True)
class Leftover:
    """A folder that nobody finds, relative to the root; its size in bytes, its last change."""

    folder: str
    size: int
    changed: datetime
