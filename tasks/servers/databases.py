"""Can the SQLite databases of MLflow and Prefect be used? Asked before anything starts on them.

Both would say so late, in tracebacks, or try again for minutes.
"""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from mmdet2tflite.errors import ServiceError
from mmdet2tflite.files.regular_file import open_regular

DATABASE = "mlflow.db"
TRACKING_URI = "MLFLOW_TRACKING_URI"
"""Names a server of MLflow's; without it a folder's database is used."""
SIGNATURE = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat.html, 1.3
MLFLOW_MIGRATIONS = ("mlflow", "store/db_migrations/versions")
PREFECT_MIGRATIONS = ("prefect", "server/database/_migrations/versions/sqlite")
LOST_OF_MLFLOW = "its runs, metrics and champions are unknown then; the artefact store stays whole"
LOST_OF_PREFECT = "its flow runs and automations are unknown then; MLflow and the store stay whole"
SECONDS_FOR_LOCK = 8.0
LARGEST_TO_READ = 100_000_000
"""Bytes of a database that is read as a whole, which takes a second."""


def check_databases(tracking: Path) -> None:
    """Those that a run on this machine uses, if no server is named.

    Raises:
        ServiceError: one of them cannot be used.
    """
    if not os.environ.get(TRACKING_URI):
        check_mlflow(tracking / DATABASE)
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    url = settings.server.database.connection_url
    address = url.get_secret_value() if url else f"sqlite:///{settings.home / 'prefect.db'}"
    kind, _, place = address.partition(":///")
    if not settings.api.url and kind.startswith("sqlite") and place.partition("?")[0]:
        path = Path(place.partition("?")[0])
        _check("Prefect", path, PREFECT_MIGRATIONS, LOST_OF_PREFECT)


def check_mlflow(path: Path) -> None:
    """Raises ServiceError."""
    _check("MLflow", path, MLFLOW_MIGRATIONS, LOST_OF_MLFLOW)


def _check(name: str, path: Path, migrations: tuple[str, str], lost: str) -> None:
    if not path.exists() and not path.is_symlink():
        return  # it will be made
    what, away = f"the database of {name}, {path},", f"move it away ({lost})"
    try:
        with open_regular(path, limit=None, error=ServiceError) as file:
            header = file.read(len(SIGNATURE))
    except ServiceError as error:
        raise ServiceError(error.found, f"{name}'s database", away) from None
    if not header:
        return
    if header != SIGNATURE:
        raise ServiceError(f"{what} is no SQLite database", "what it wrote", away)
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise ServiceError(
            f"{what} or its folder cannot be written",
            "a database of this user",
            "give yourself the right to write it, or name another folder",
        )
    try:
        problem, version = _read(path)
    except sqlite3.Error as error:
        if "locked" in str(error) or "readonly" in str(error):
            raise ServiceError(
                f"{what} is not free for writing: {error}",
                f"to get it within {SECONDS_FOR_LOCK:g} s",
                f"end the process that holds it: `fuser {path}` shows which",
            ) from None
        problem, version = str(error), ""
    if problem:
        raise ServiceError(
            f"{what} is damaged: {problem}",
            "a complete database",
            f"take it from a backup, or {away}, with its -wal and -shm",
        )
    if version and not any(version in file for file in _names(*migrations)):
        raise ServiceError(
            f"{what} has the version {version}, which this {name} does not know",
            f"one that an equal or older {name} made",
            f"upgrade this project, or {away}",
        )


def _read(path: Path) -> tuple[str, str]:
    """What is wrong with it, or nothing, and the version of its tables. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=SECONDS_FOR_LOCK, isolation_level=None)
    with closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        wal = path.with_name(f"{path.name}-wal")
        if pages * size > path.stat().st_size and not wal.exists():
            return f"{path.stat().st_size:,} bytes of {pages * size:,} are there", ""
        if pages * size <= LARGEST_TO_READ:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                return str(found).splitlines()[-1], ""
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        if ("alembic_version",) not in tables:
            return "", ""
        versions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        connection.execute("ROLLBACK")
    return "", str(versions[0][0]) if versions else ""


def _names(package: str, folder: str) -> Iterable[str]:
    """Of the files with a package's migrations; found without importing it."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return os.listdir(Path(spec.origin).parent / folder)
