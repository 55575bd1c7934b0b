"""Where runs are tracked: MLflow's database in a folder of this machine, or a server."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from mmdet2tflite.errors import DISK_FULL, ServiceError, disk_full
from mmdet2tflite.files.disk import disk_errors
from mmdet2tflite.processes.lock import exclusive
from mmdet2tflite.safe_text import without_password
from tasks.servers.databases import DATABASE, TRACKING_URI, check_mlflow
from tasks.servers.server import check_server

DATABASE_LOCK = "mlflow.lock"
_own_uris: set[str] = set()


def use_tracking(folder: Path) -> bool:
    """Let MLflow use what MLFLOW_TRACKING_URI names (then True), or else the database in a folder.

    Raises:
        ServiceError: a server is named and does not answer (MLflow itself would try for minutes) or
            wants another password; or the database cannot be used.
    """
    uri = named_tracking()
    logging.getLogger("mlflow.store.db.utils").setLevel(
        logging.CRITICAL
    )  # `usable` says it shorter
    if not uri:
        folder.mkdir(parents=True, exist_ok=True)
        own = f"sqlite:///{folder.absolute() / DATABASE}"
        mlflow.set_tracking_uri(own)
        _own_uris.add(own)
        with exclusive(folder / DATABASE_LOCK):  # two runs must not make its tables at once
            check_mlflow(folder / DATABASE)
            mlflow.search_experiments(max_results=1)
        return False
    if uri.startswith("http"):
        check_server("MLflow", f"{uri}/health", f"start it, or correct {TRACKING_URI}")
        _check_password(uri)
    return True


def _check_password(uri: str) -> None:
    try:
        mlflow.search_experiments(max_results=1)
    except MlflowException as error:
        if error.get_http_status_code() != HTTPStatus.UNAUTHORIZED:
            raise
        raise ServiceError(
            without_password(f"the MLflow server at {uri} wants another user or password"),
            "its own in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
            "ask who runs it (docs/remote.md)",
        ) from None


def named_tracking() -> str:
    """What the user's MLFLOW_TRACKING_URI says. MLflow puts there what it is told, too."""
    uri = os.environ.get(TRACKING_URI, "")
    return "" if uri in _own_uris else uri


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Around whatever is tracked.

    Raises:
        ServiceError: MLflow's server is gone (MLflow has tried for minutes when it gives up), or
            the database cannot be used any more.
        StoreError: no space is left, or the folder cannot be written.
    """
    try:
        with disk_errors(folder.absolute(), "tracking"):
            yield
    except (MlflowException, SQLAlchemyError) as error:
        if (uri := named_tracking()).startswith("http"):
            check_server("MLflow", f"{uri}/health", "start it and run again; all stages are kept")
        if any(f"[Errno {number}]" in str(error) for number in DISK_FULL):  # told by MLflow
            raise disk_full(f"{folder} or {tempfile.gettempdir()}") from error
        if "sqlite3." not in str(error):
            raise
        raise ServiceError(
            f"MLflow cannot use {folder.absolute() / DATABASE} any more: {_sqlite(error)}",
            "a database that stays where it is and can be written",
            "run the same command again: finished stages are kept",
        ) from error


def _sqlite(error: Exception) -> str:
    """SQLite's own words in what SQLAlchemy and MLflow made of them."""
    return str(error).partition("sqlite3.")[2].partition("\n")[0]
