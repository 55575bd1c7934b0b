"""`mmdet2tflite doctor --store`: a line for what is damaged, and a status for scripts."""

import json
from pathlib import Path

import pytest

from mmdet2tflite.errors import StoreError
from mmdet2tflite.report.verification import print_verification
from mmdet2tflite.store.store import Store
from tests.store.building import build, writes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with two artefacts in its store, one of them damaged."""
    store = Store(tmp_path / "artifacts")
    for key in ("good", "bad"):
        build(store, writes(key), key)
    (tmp_path / "artifacts" / "stage" / "bad" / "file.txt").write_text("dab")
    (tmp_path / "mine.yaml").write_text("name: mine\ndataset: {kind: digits}\n")
    return tmp_path


@pytest.mark.parametrize("place", [None, "mine.yaml", "artifacts"])
def test_what_is_damaged_is_named_once_and_then_the_store_is_whole(
    root: Path, place: str | None, capsys: pytest.CaptureFixture
) -> None:
    named = place and str(root / place)
    assert not print_verification(root, named, as_json=False)
    first = capsys.readouterr().out.splitlines()
    assert first[0] == f"{root / 'artifacts'}: 1 artefacts are whole, 1 damaged"
    assert first[1] == "  stage/bad: set aside; a run that needs it makes it anew"
    assert first[2].startswith("  1 leftovers take 0.0 MB: `clean-store` removes them")
    assert print_verification(root, named, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["whole"], found["damaged"]) == (1, [])


def test_a_folder_that_is_not_there_is_no_whole_store(root: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no store in .*nowhere"):
        print_verification(root, str(root / "nowhere"), as_json=False)
