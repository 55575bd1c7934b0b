"""A store of the test's own, and one that several machines share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from mmdet2tflite.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield "memory://bucket/prefix"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def another_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """Stores that are opened from now on have copies and work folders of their own."""
    return lambda: monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another cache"))
