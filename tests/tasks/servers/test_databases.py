"""A database that cannot be used is a line with the remedy, before anything starts on it."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from mmdet2tflite.errors import ServiceError
from tasks.servers import databases
from tasks.servers.databases import DATABASE, check_databases, check_mlflow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a thousand rows, of a version that MLflow knows."""
    known = next(n for n in databases._names(*databases.MLFLOW_MIGRATIONS) if n.endswith(".py"))
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.execute("CREATE TABLE alembic_version (version_num)")
    connection.execute("INSERT INTO alembic_version VALUES (?)", (known.partition("_")[0],))
    connection.execute("CREATE TABLE runs (name)")
    connection.executemany("INSERT INTO runs VALUES (?)", [("x" * 100,)] * 1000)
    connection.commit()
    connection.close()
    return tmp_path / DATABASE


def test_a_good_one_an_empty_one_and_none_may_be_used(path: Path, tmp_path: Path) -> None:
    check_mlflow(path)
    check_mlflow(tmp_path / "none.db")
    path.write_bytes(b"")
    check_mlflow(path)


def test_one_that_another_process_reads_may_be_used(path: Path) -> None:
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM runs").fetchone()
    check_mlflow(path)
    reader.close()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def truncate_page(path: Path) -> None:
    os.truncate(path, 4096 + 100)


def overwrite(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x55" * (len(content) - 4096)
    path.write_bytes(content)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")
    connection.commit()
    connection.close()


WRONG = {
    "truncated": (truncate, "is damaged"),
    "truncated in a page": (truncate_page, "is damaged"),
    "overwritten": (overwrite, "is damaged"),
    "a text": (lambda path: path.write_text("a text"), "is no SQLite database"),
    "a folder": (folder, "it is a folder"),
    "a pipe": (pipe, "it is a named pipe"),
    "a link to itself": (loop, "symbolic links"),
    "a newer one": (newer, "has the version fedcba987654, which this MLflow does not know"),
}


@pytest.mark.parametrize("name", WRONG)
def test_another_one_is_refused_with_what_is_lost_without_it(name: str, path: Path) -> None:
    change, found = WRONG[name]
    change(path)
    with pytest.raises(ServiceError, match=found) as error:
        check_mlflow(path)
    assert f"move it away ({databases.LOST_OF_MLFLOW})" in error.value.remedy
    assert "\n" not in error.value.found


def test_one_that_is_held_for_good_is_refused_with_how_to_find_who_does(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "SECONDS_FOR_LOCK", 0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ServiceError, match="not free for writing: database is locked") as error:
        check_mlflow(path)
    assert f"fuser {path}" in error.value.remedy
    other.close()


def test_one_that_may_not_be_written_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda place, mode: False)  # root may write everything
    with pytest.raises(ServiceError, match="cannot be written"):
        check_mlflow(path)


def test_prefects_own_is_asked_about_too(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.context import refresh_global_settings_context

    shutil.copy(path, tmp_path / "prefect.db")
    truncate(tmp_path / "prefect.db")
    for name in ("PREFECT_API_URL", "PREFECT_API_DATABASE_CONNECTION_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    with monkeypatch.context() as changed:
        changed.setenv("PREFECT_HOME", str(tmp_path))
        refresh_global_settings_context()
        with pytest.raises(ServiceError, match=r"the database of Prefect, .* is damaged"):
            check_databases(tmp_path)
    refresh_global_settings_context()


@pytest.mark.parametrize("word", ["champion", "promote", "rollback", "pull"])
def test_a_damaged_one_is_a_line_and_status_2(word: str, path: Path, tmp_path: Path) -> None:
    truncate(path)
    more = ["-o", "m.tflite"] if word == "pull" else []
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mmdet2tflite.cli",
            word,
            "m",
            "--tracking",
            str(tmp_path),
            *more,
        ],
        capture_output=True,
        text=True,
        env={name: v for name, v in os.environ.items() if name != "MLFLOW_TRACKING_URI"},
    )
    assert (done.returncode, done.stderr.count("Traceback")) == (2, 0)
    assert done.stderr.startswith(f"Service: the database of MLflow, {path}, is damaged")
