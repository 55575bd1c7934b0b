"""What is known of a file by itself: from its passport, or from the manifest beside it."""

import json
import shutil

import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.evaluate.given_file import read_given
from mmdet2tflite.store.manifest import MANIFEST, write_manifest
from mmdet2tflite.store.store import Store
from tests.corner_network import HEAD, write_detector
from tests.evaluate.constant_network import HEAD as CONSTANT_HEAD
from tests.evaluate.constant_network import PREPROCESSING, onnx_model


def test_a_tflite_file_is_what_its_passport_says(tmp_path):
    found = read_given(write_detector(tmp_path / "any name.tflite"))
    assert (found.kind, found.file, found.head) == ("tflite", "any name.tflite", HEAD)
    assert (found.preprocessing.width, found.preprocessing.height) == (64, 32)
    assert found.variant == "explicit · hand · float32"


def test_a_file_without_a_decoder_is_no_detector(tmp_path):
    with pytest.raises(ModelError, match="it was converted alone"):
        read_given(write_detector(tmp_path / "m.tflite", head=None))


@pytest.fixture
def exported(tmp_path, write_onnx):
    """The folder of an exported ONNX file in a store."""
    store = Store(tmp_path / "store")
    model = store.build("onnx", "o", lambda work: onnx_model(write_onnx, work), origin={})
    return store.path(model)


def test_an_onnx_file_of_a_store_is_what_its_manifest_says(exported, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "copy")
    found = read_given(folder / "model.onnx")
    assert (found.kind, found.file) == ("onnx", "model.onnx")
    assert (found.head, found.preprocessing) == (CONSTANT_HEAD, PREPROCESSING)


def test_an_onnx_file_by_itself_is_refused(exported, tmp_path):
    alone = shutil.copy(exported / "model.onnx", tmp_path)
    with pytest.raises(ModelError, match=r"manifest\.json: No such file") as refused:
        read_given(tmp_path / "model.onnx")
    assert "does not say what its outputs mean" in refused.value.expected
    assert alone in refused.value.found


def test_a_manifest_beside_another_file_is_no_passport_of_it(exported):
    with (exported / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelError, match="it is about another file"):
        read_given(exported / "model.onnx")


def test_an_onnx_file_of_another_stage_is_refused(exported):
    manifest = json.loads((exported / MANIFEST).read_text())
    manifest["value"]["kind"] = "rewritten"
    write_manifest(exported, manifest)
    with pytest.raises(ModelError, match="it describes a rewritten artefact"):
        read_given(exported / "model.onnx")


def test_a_manifest_that_was_changed_is_no_passport(exported):
    manifest = json.loads((exported / MANIFEST).read_text())
    manifest["value"]["head"]["classes"] = ["dog", "cat"]
    (exported / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="was changed after it had been written"):
        read_given(exported / "model.onnx")


def test_a_missing_onnx_file_is_named_and_not_its_manifest(tmp_path):
    with pytest.raises(ModelError, match=r"none\.onnx cannot be read"):
        read_given(tmp_path / "none.onnx")
