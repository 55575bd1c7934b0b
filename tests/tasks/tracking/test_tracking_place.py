"""What becomes of a run when the place where it is tracked goes away: one line, no traceback."""

import errno
import os
from contextlib import suppress
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from mmdet2tflite.errors import ServiceError, StoreError
from tasks.servers import server
from tasks.servers.databases import DATABASE, TRACKING_URI
from tasks.tracking import tracking_place
from tasks.tracking.tracking_place import usable, use_tracking


def test_a_server_that_went_away_in_a_run_is_named_and_other_errors_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "ATTEMPTS", 1)
    with pytest.raises(MlflowException, match="a bug"), usable(tmp_path):
        raise MlflowException("a bug")
    monkeypatch.setenv(TRACKING_URI, "http://127.0.0.1:9")
    with (
        pytest.raises(ServiceError, match=r"no MLflow server answers at http://127\.0\.0\.1:9"),
        usable(tmp_path),
    ):
        raise MlflowException("API request failed")


def test_a_database_that_is_deleted_in_a_run_is_named_with_what_sqlite_says(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    before = mlflow.get_tracking_uri()
    try:
        use_tracking(tmp_path)
        mlflow.start_run(experiment_id="0")  # whatever another test has set
        (tmp_path / DATABASE).unlink()
        with pytest.raises(ServiceError) as caught, usable(tmp_path):
            mlflow.set_tag("a", "tag")
        assert caught.value.found.startswith(f"MLflow cannot use {tmp_path / DATABASE} any more: ")
        assert "OperationalError) " in caught.value.found
        assert "Traceback" not in capfd.readouterr().err  # MLflow's own log of it
    finally:
        with suppress(MlflowException):
            mlflow.end_run()
        mlflow.set_tracking_uri(before)
        tracking_place._own_uris.add(before)  # no user's, whatever MLflow puts into the environment


def test_a_full_disk_that_mlflow_tells_of_in_words_is_named(tmp_path: Path) -> None:
    message = f"1 failure: [Errno {errno.ENOSPC}] No space left on device: 'a' -> 'b'"
    with (
        pytest.raises(StoreError, match=f"no space left on the disk of {tmp_path} or /"),
        usable(tmp_path),
    ):
        raise MlflowException(message)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "no space left on the disk of PLACE"),
        (errno.EROFS, "PLACE cannot be written"),
    ],
)
def test_a_disk_that_is_full_or_refuses_is_named(tmp_path: Path, number: int, said: str) -> None:
    place = str(tmp_path / "artifacts" / "model.tflite")
    with pytest.raises(StoreError, match=said.replace("PLACE", place)), usable(tmp_path):
        raise OSError(number, os.strerror(number), place)
