"""One flipped byte in any file of any stage's artefact, as the real tools made it, is found."""

import shutil
from pathlib import Path

import pytest

from mmdet2tflite.store import manifest
from mmdet2tflite.store.manifest import MANIFEST, parse_manifest
from mmdet2tflite.store.store import Store

pytestmark = pytest.mark.toolchain

STAGES = ("dataset", "checkpoint", "onnx", "rewritten", "tflite", "report")


@pytest.fixture(scope="module")
def finished(main_path, tmp_path_factory) -> Store:
    """A copy of the store, to be damaged."""
    root = tmp_path_factory.mktemp("damaged") / "store"
    shutil.copytree(main_path.store.root, root, ignore=shutil.ignore_patterns(".work"))
    return Store(root)


@pytest.mark.parametrize("stage", STAGES)
def test_a_flipped_byte_in_any_file_is_found_before_the_artefact_is_used(
    finished: Store, stage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    places = [place for place in finished.places() if place[0] == stage]
    assert places
    for key in (key for _, key in places[:1]):
        folder = Path(finished.root) / stage / key
        files = parse_manifest((folder / MANIFEST).read_bytes())["files"]
        for name in [*files, MANIFEST]:
            path = folder / name
            content = path.read_bytes()
            if not content:
                continue
            middle = len(content) // 2
            flipped = bytes([content[middle] ^ 1])
            path.write_bytes(content[:middle] + flipped + content[middle + 1 :])
            monkeypatch.setattr(manifest, "_whole", {})  # as another process
            assert finished.find(stage, key) is None, name
            assert f"damaged: {stage}/{key}: {name}" in capsys.readouterr().err
            shutil.move(Path(finished.root) / ".damaged" / stage / key, folder)
            path.write_bytes(content)
        assert finished.find(stage, key) is not None
