"""What a head says of itself in a passport: no more than its family needs."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from mmdet2tflite.artifacts import OnnxModel
from mmdet2tflite.convert.tflite_file import passport_json
from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Head
from mmdet2tflite.runtime.decode import FAMILIES
from mmdet2tflite.runtime.passport import load_passport
from tests.corner_network import HEAD, passport, write_detector

OF_EARLIER_VERSIONS = (
    b'{"family":"yolox","classes":["cat","dog"],"strides":[32],"score_threshold":0.3,'
    b'"nms_iou":0.65,"max_detections":100,"max_candidates":null}'
)
SSD = replace(
    HEAD,
    family="ssd",
    anchors=(((-4.0, -4.0, 4.0, 4.0), (-8.5, -4.0, 8.5, 4.0)),),
    box_stds=(0.1, 0.1, 0.2, 0.2),
    centre_clamp=32.0,
    point_offset=0.5,
    base_sizes=(16.0,),
    score_function="softmax",
    objectness_threshold=0.005,
    peak_window=5,
    clip=False,
    keep_empty=True,
)


def test_a_head_without_what_others_need_is_written_as_it_always_was():
    assert TypeAdapter(Head).dump_json(HEAD) == OF_EARLIER_VERSIONS
    assert OF_EARLIER_VERSIONS in passport_json(passport())


def test_an_artefact_has_the_same_head_as_a_passport():
    settings = {"outputs": (), "opset": 13, "preprocessing": passport().preprocessing}
    for head in (HEAD, SSD):
        model = OnnxModel(head=head, **settings)
        written = json.loads(passport_json(passport(head=head)))["head"]
        assert model.identity()["head"] == written
        assert OnnxModel.model_validate(model.identity()) == model


def test_every_value_that_is_no_default_is_written_and_read(tmp_path: Path):
    assert load_passport(write_detector(tmp_path / "m.tflite", head=SSD)).head == SSD


def test_the_head_of_an_earlier_version_is_read():
    assert TypeAdapter(Head).validate_json(OF_EARLIER_VERSIONS) == HEAD


WRONG = {
    "anchors": [[[0, 0, 8]]],
    "box_stds": [0.1, 0.1, 0.2],
    "centre_clamp": "far",
    "point_offset": 2,
    "base_sizes": [1e9],
    "score_function": "tanh",
    "objectness_threshold": -1,
    "peak_window": 0,
    "clip": 1,
    "keep_empty": None,
}


@pytest.mark.parametrize("field", WRONG)
def test_a_value_that_cannot_be_is_refused_by_its_name(tmp_path: Path, field, monkeypatch):
    path = write_detector(tmp_path / "m.tflite")
    document = json.loads(passport_json(passport()))
    document["head"][field] = WRONG[field]
    content = json.dumps(document).encode()
    monkeypatch.setattr("mmdet2tflite.tflite.flatbuffer.find_metadata", lambda *_: content)
    with pytest.raises(ModelError, match=field):
        load_passport(path)


def test_a_family_reads_fields_that_a_head_has():
    names = {field.name for field in fields(Head)} - Head.ALWAYS_WRITTEN
    for family in FAMILIES.values():
        assert set(family.reads) <= names
    assert set().union(*(family.reads for family in FAMILIES.values())) == names
