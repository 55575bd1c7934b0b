"""The passport that the runtime reads is the one that the pipeline writes; others are refused."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from mmdet2tflite.convert.tflite_file import passport_json
from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Head, HowToRun, Preprocessing, Rotation, TfliteOutput
from mmdet2tflite.runtime.passport import PASSPORT, load_passport
from mmdet2tflite.runtime.passport_checks import CHECKS
from mmdet2tflite.tflite.flatbuffer import (
    read_model,
    serialise,
    write_metadata,
    write_model,
)
from tests.corner_network import passport as complete_passport
from tests.corner_network import write_detector
from tests.tflite.test_flatbuffer import network, with_weights_behind

WRITTEN = complete_passport(rotation=Rotation(input=True, outputs=("cls_32",)), strategy="widen")


@pytest.mark.parametrize("part", [Head, Preprocessing, TfliteOutput, Rotation])
def test_every_field_of_a_part_is_checked(part):
    assert {field.name for field in fields(part)} == set(CHECKS[part.__name__])


def test_every_value_is_read_as_it_was_written(tmp_path: Path):
    changes = {"rotation": WRITTEN.rotation, "strategy": WRITTEN.strategy}
    read = load_passport(write_detector(tmp_path / "m.tflite", **changes))
    assert read == HowToRun(**{f.name: getattr(WRITTEN, f.name) for f in fields(HowToRun)})


def test_a_passport_without_head_and_preprocessing_says_so(tmp_path: Path):
    read = load_passport(write_detector(tmp_path / "m.tflite", head=None, preprocessing=None))
    assert (read.head, read.preprocessing) == (None, None)


def test_a_passport_behind_the_flatbuffer_is_found(tmp_path: Path):
    model = network()
    write_metadata(model, "note", b"not this one")
    write_metadata(model, PASSPORT, passport_json(WRITTEN))
    write_metadata(model, "later", b"nor this")
    (tmp_path / "m.tflite").write_bytes(with_weights_behind(model))
    assert load_passport(tmp_path / "m.tflite").strategy == "widen"


def rewrite(path: Path, content: bytes) -> Path:
    model = network()
    write_metadata(model, PASSPORT, content)
    write_model(model, path)
    return path


def changed(**changes: object) -> bytes:
    return json.dumps(json.loads(passport_json(WRITTEN)) | changes).encode()


HEAD = json.loads(passport_json(WRITTEN))["head"]
WRONG = {
    "newer": (changed(version=2), "has a passport of version 2", "upgrade"),
    "no JSON": (b"{", "cannot be understood", "convert the model again"),
    "empty": (b"", "cannot be understood", "convert the model again"),
    "no object": (b"7", "cannot be understood", "convert the model again"),
    "no version": (b"{}", "cannot be understood: KeyError('version')", "convert the model again"),
    "no strategy": (b'{"version": 1}', "cannot be understood: KeyError", "convert the model again"),
    "unknown": (changed(head=HEAD | {"mystery": []}), "'mystery'", "upgrade"),
    "missing": (changed(rotation={"input": True}), "KeyError('outputs')", "upgrade"),
    "text": (changed(head="yolox"), "cannot be understood", "convert the model again"),
    "outputs": (changed(outputs=None), "cannot be understood", "convert the model again"),
}


@pytest.mark.parametrize(("content", "found", "remedy"), WRONG.values(), ids=WRONG)
def test_a_passport_that_is_not_understood_is_refused(tmp_path, content, found, remedy):
    with pytest.raises(ModelError, match=r"m\.tflite") as error:
        load_passport(rewrite(tmp_path / "m.tflite", content))
    assert found in error.value.found
    assert remedy in error.value.remedy


def test_a_file_without_a_passport_is_refused(tmp_path: Path):
    write_model(network(), tmp_path / "m.tflite")
    with pytest.raises(ModelError, match=r"m\.tflite has no passport") as error:
        load_passport(tmp_path / "m.tflite")
    assert "Interpreter" in error.value.remedy


def test_a_file_that_is_missing_of_another_kind_or_cut_off_is_refused(tmp_path: Path):
    path = write_detector(tmp_path / "m.tflite")
    content = serialise(read_model(path))
    with pytest.raises(ModelError, match=r"none\.tflite cannot be read: No such file"):
        load_passport(tmp_path / "none.tflite")
    path.write_bytes(b"PK\x03\x04 a zip archive")
    with pytest.raises(ModelError, match="is not a TFLite file"):
        load_passport(path)
    path.write_bytes(content[:60])
    with pytest.raises(ModelError, match="is broken"):
        load_passport(path)
