"""Which server a run uses, and what is said of one that does not answer."""

import subprocess

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from mmdet2tflite.errors import ServiceError
from tasks import server


def test_none_is_started_where_the_settings_name_one(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        wait = server.start_server()
    monkeypatch.setattr(server, "ATTEMPTS", 1)
    with pytest.raises(ServiceError, match=r"no Prefect server answers at http://127.0.0.1:1/api"):
        wait()


def test_a_server_that_does_not_answer_is_named_without_its_password(monkeypatch):
    monkeypatch.setattr(server, "ATTEMPTS", 1)
    with pytest.raises(ServiceError) as caught:
        server.check_server("MLflow", "http://me:s3cret@127.0.0.1:1/health", "start it")
    assert "http://me:***@127.0.0.1:1" in str(caught.value)
    assert "s3cret" not in str(caught.value)
