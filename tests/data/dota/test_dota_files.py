"""Missing and malformed files of a DOTA data set are named; a change makes another key."""

import os
from pathlib import Path

import pytest

from mmdet2tflite.data.prepare import DATASET
from tests.data.conftest import facts

from .conftest import a_line


def test_a_missing_image_is_reported_and_left_out_with_its_boxes(dota, build, refuse) -> None:
    (dota.root / "train/images/a.png").unlink()
    assert facts(refuse()) == [("missing_file", "train", "a.png", 1)]
    dataset = build(fix=["missing_file"])
    assert (dataset.train.images, dataset.train.boxes) == (1, 1)


def test_a_folder_without_texts_is_named(dota, refuse) -> None:
    (problem,) = refuse(train={"annotations": "train/labels", "images": "train/images"})
    assert facts([problem]) == [("missing_annotations", "train", "labels", None)]
    assert "has no text files" in problem.message


def test_two_images_of_one_name_are_ambiguous(dota, refuse) -> None:
    image = dota.root / "train/images/a.png"
    image.with_suffix(".jpg").write_bytes(image.read_bytes())
    assert facts(refuse()) == [("ambiguous_image", "train", "a.txt", None)]


def test_a_text_that_is_none_is_named(dota, refuse) -> None:
    (dota.root / "val/labelTxt/c.txt").write_bytes(b"\xff\xfe\x00")
    del dota.texts["val/labelTxt/c"]
    assert facts(refuse()) == [("not_dota", "val", "c.txt", None)]


def test_a_link_out_of_the_data_set_is_refused(dota, refuse, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text(a_line())
    link = dota.root / "train/labelTxt/b.txt"
    link.unlink()
    link.symlink_to(other)
    del dota.texts["train/labelTxt/b"]
    assert facts(refuse()) == [("outside_folder", "train", "b.txt", None)]


@pytest.mark.parametrize("file", ["train/labelTxt/a.txt", "train/images/a.png", "val/images/c.png"])
def test_the_key_follows_the_time_stamp_of_every_file(file: str, dota) -> None:
    key = DATASET.key(dota.config())
    os.utime(dota.root / file, ns=(1, 1))
    assert DATASET.key(dota.config()) != key
