"""A data set of a stranger's: nothing leads out of its folder, hangs the run or fills memory."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet2tflite.config.dataset import CocoData
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.errors import DataError

from .conftest import facts


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret" / "s.png"
    path.parent.mkdir()
    assert cv2.imwrite(str(path), np.full((30, 40, 3), 99, np.uint8))
    return path


def point_at(source, name: str) -> None:
    source.train["images"][1]["file_name"] = name


@pytest.mark.parametrize("form", ["../../secret/s.png", "absolute", "link", "folder/s.png"])
def test_an_image_outside_of_the_data_set_is_refused(form, source, secret, refuse) -> None:
    images = source.root / "images"
    (images / "link").symlink_to(secret)
    (images / "folder").symlink_to(secret.parent)
    point_at(source, str(secret) if form == "absolute" else form)
    (problem,) = refuse()
    assert problem.kind == "outside_folder"
    assert str(secret) in problem.message
    assert str(source.root) in problem.message


def test_a_folder_that_the_experiment_allows_may_hold_images(source, secret, store) -> None:
    point_at(source, str(secret))
    source.save()
    config = source.config().model_copy(update={"allowed_folders": (secret.parent,)})
    assert DATASET.build(store, config, timeout=60).train.images == 2


def test_the_image_folder_may_itself_be_a_link_and_hold_links_within_the_root(
    source, build, secret
) -> None:
    moved = (source.root / "images").rename(secret.parent / "images")
    (source.root / "images").symlink_to(moved)
    (moved / "again.png").symlink_to(moved / "b.png")
    point_at(source, "again.png")
    assert build().train.images == 2


def test_links_from_split_to_split_stay_within_a_root_that_is_named(source, build) -> None:
    (source.root / "all").mkdir()
    (source.root / "images/b.png").rename(source.root / "all/b.png")
    (source.root / "images/b.png").symlink_to(source.root / "all/b.png")
    assert build().train.images == 2


def test_the_project_is_no_data_set(source, secret, tmp_path, store, monkeypatch) -> None:
    """Without ``root``, what lies in the working directory beside the images is outside."""
    monkeypatch.chdir(tmp_path)
    point_at(source, "../../secret/s.png")
    source.save()
    values = {
        "kind": "coco",
        "train": {"annotations": source.root / "train.json", "images": source.root / "images"},
        "val": {"annotations": source.root / "val.json", "images": source.root / "images"},
    }
    with pytest.raises(DataError, match="outside_folder"):
        DATASET.build(store, CocoData.model_validate(values), timeout=60)


@pytest.mark.parametrize("name", ["a\0.png", "a" * 5000, "", ".", "images\\b.png", "loop.png"])
def test_a_name_that_is_no_files_is_a_missing_file(name, source, refuse) -> None:
    (source.root / "images/loop.png").symlink_to("loop.png")
    point_at(source, name)
    (problem,) = refuse()
    assert problem.kind == "missing_file"


def replace(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(3_000_000_000)  # takes no room on the disk


KINDS = {"pipe": "a named pipe", "folder": "a folder", "huge": "3,000.0 MB"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_that_is_no_regular_file_or_too_large_is_not_read(kind, source, refuse) -> None:
    replace(source.root / "images/b.png", kind)
    (problem,) = refuse()
    assert problem.kind == "missing_file"
    assert KINDS[kind] in problem.message


@pytest.mark.parametrize("kind", KINDS)
def test_nor_is_a_json(kind, source, store) -> None:
    source.save()
    replace(source.root / "train.json", kind)
    with pytest.raises(DataError, match=f"missing_annotations.*{KINDS[kind]}"):
        DATASET.build(store, source.config(), timeout=60)


def test_a_device_is_not_read_even_where_its_folder_is_allowed(source, store) -> None:
    (source.root / "images/b.png").unlink()
    (source.root / "images/b.png").symlink_to("/dev/zero")
    config = source.save().config().model_copy(update={"allowed_folders": (Path("/dev"),)})
    with pytest.raises(DataError, match=r"missing_file.*it is a device"):
        DATASET.build(store, config, timeout=60)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"id": %s}' % ("9" * 10_000)])
def test_json_that_nests_too_deep_or_counts_too_far_is_corrupt(text, source, store) -> None:
    source.save()
    (source.root / "train.json").write_text(text)
    with pytest.raises(DataError, match="1 corrupt_json"):
        DATASET.build(store, source.config(), timeout=60)


@pytest.mark.parametrize(("key", "value"), [("id", 10**30), ("width", float("inf"))])
def test_numbers_beyond_64_bits_are_refused(key, value, source, refuse) -> None:
    source.train["images"][0][key] = value
    (problem,) = refuse()
    assert problem.kind == "not_coco"
    assert problem.message.startswith(f"images.0.{key}")


@pytest.mark.parametrize("value", [10**400, 1e308, float("nan"), float("-inf")])
def test_a_box_of_absurd_numbers_is_reported(value, source, refuse) -> None:
    source.train["annotations"][0]["bbox"][0] = value
    assert {problem.kind for problem in refuse()} <= {"non_finite", "outside", "not_coco"}


def test_of_a_million_wrong_entries_one_is_reported(source, refuse) -> None:
    source.train["annotations"] = [0] * 1_000_000
    assert facts(refuse()) == [("not_coco", "train", "train.json", None)]


@pytest.mark.parametrize("name", ["", "  ", "c" * 101, "cat\n", "\x1b[31mcat", "\u202ecat"])
def test_a_class_has_one_short_visible_line(name, source, refuse) -> None:
    source.train["categories"][0]["name"] = source.val["categories"][0]["name"] = name
    assert {problem.kind for problem in refuse()} == {"class_name"}


def test_names_forge_no_lines_and_no_colours_in_the_message(source, store) -> None:
    point_at(source, "\x1b[2J\n  to do:    rm -rf ~")
    with pytest.raises(DataError) as caught:
        DATASET.build(store, source.save().config(), timeout=60)
    text = str(caught.value)
    assert r"\x1b[2J\n  to do:    rm -rf ~" in text
    assert "\x1b" not in text
    assert sum(line.startswith("  to do:") for line in text.splitlines()) == 1
    (report,) = store.work.glob("dataset/*/log/problems.json")
    assert json.loads(report.read_text())
