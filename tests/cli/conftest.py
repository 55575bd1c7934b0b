"""The temporary folder of conversions."""

from pathlib import Path

import pytest

from mmdet2tflite.standalone import convert_file as standalone


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder, which every conversion must leave empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(standalone.tempfile, "tempdir", str(folder))
    return folder
