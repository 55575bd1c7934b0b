"""A store that other machines share and that refuses: what is said, before anything is made."""

from collections.abc import Callable

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from mmdet2tflite.errors import StoreError
from mmdet2tflite.store.store import Store
from tests.store.building import build, never


def raises(error: Exception) -> Callable:
    def refuse(*_: object, **__: object) -> None:
        raise error

    return refuse


@pytest.mark.parametrize("method", ["cat_file", "pipe_file"])
@pytest.mark.parametrize(
    ("error", "found", "remedy"),
    [
        (PermissionError("no such key"), "refuses: no such key", "AWS_SECRET_ACCESS_KEY"),
        (RuntimeError("no route"), "cannot be used: no route", "AWS_ENDPOINT_URL"),
        (TimeoutError(), "cannot be used: TimeoutError", "AWS_ENDPOINT_URL"),
    ],
)
def test_a_server_that_refuses_is_reported_before_anything_is_made(
    remote: str,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    error: Exception,
    found: str,
    remedy: str,
) -> None:
    monkeypatch.setattr(MemoryFileSystem, method, raises(error))
    with pytest.raises(StoreError, match=f"{remote} {found}") as caught:
        build(Store(remote), never)
    assert remedy in caught.value.remedy


def test_a_bucket_that_does_not_exist_is_reported_before_anything_is_made(
    remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", raises(FileNotFoundError("no bucket")))
    with pytest.raises(StoreError, match=f"{remote}: no bucket") as caught:
        build(Store(remote), never)
    assert "make it, or correct `store`" in caught.value.remedy


@pytest.mark.parametrize("question", ["finished", "remembered"])
def test_a_server_that_refuses_a_list_is_reported(
    remote: str, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    monkeypatch.setattr(MemoryFileSystem, "find", raises(PermissionError("no")))
    with pytest.raises(StoreError, match="refuses: no"):
        getattr(Store(remote), question)()


def test_a_url_that_nothing_here_can_open_is_reported() -> None:
    with pytest.raises(StoreError, match="'no://such' cannot be opened: Protocol not known: no"):
        Store("no://such")


def test_a_url_with_a_password_is_refused_without_showing_it() -> None:
    # The library behind the address would repeat a part of it in its own words.
    with pytest.raises(StoreError, match="holds a password") as caught:
        Store("s3://AKIA:wJal/rX@bucket")
    assert "wJal" not in caught.value.found
    assert "AWS_SECRET_ACCESS_KEY" in caught.value.remedy
