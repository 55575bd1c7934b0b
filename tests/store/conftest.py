"""A store of the test's own."""

from pathlib import Path

import pytest

from mmdet2tflite.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")
