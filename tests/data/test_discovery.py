"""Which data set is found in a folder, by content; and what is said where there is none."""

import json
import shutil
from pathlib import Path

import pytest

from mmdet2tflite.data.discovery.discover import discover
from mmdet2tflite.data.discovery.settings import dataset_settings, yolo_description
from mmdet2tflite.errors import DataError
from tests.data import folders


def settings(root: Path, **options) -> dict:
    return dataset_settings(discover(root, **options), Path("described.yaml"))


@pytest.mark.parametrize("name", folders.FOLDERS)
def test_each_format_is_known_by_its_content(name: str, tmp_path: Path) -> None:
    folders.FOLDERS[name](tmp_path)
    found = discover(tmp_path)
    assert found.train.kind == name.split()[0]
    assert found.needs_split
    assert (found.root, found.notes) == (tmp_path, ())


def test_settings_name_the_folders_relative_to_the_one_above_them(tmp_path: Path) -> None:
    folders.voc(tmp_path / "a")
    train = {"annotations": Path("marks"), "images": Path("shots")}
    assert settings(tmp_path) == {"kind": "voc", "root": tmp_path / "a", "train": train}


def test_pictures_may_lie_in_the_folder_beside(tmp_path: Path) -> None:
    folders.voc(tmp_path)
    found = discover(tmp_path / "marks")
    assert found.images == {tmp_path / "marks": tmp_path / "shots"}
    assert found.notes == (f"the pictures lie beside the folder, in {tmp_path / 'shots'}",)
    assert found.root == tmp_path


def test_annotations_and_pictures_may_lie_in_one_folder(tmp_path: Path) -> None:
    folders.voc(tmp_path)
    for path in (tmp_path / "marks").iterdir():
        path.rename(tmp_path / "shots" / path.name)
    train = {"annotations": Path("."), "images": Path(".")}
    assert settings(tmp_path) == {"kind": "voc", "root": tmp_path / "shots", "train": train}


def test_words_in_paths_say_what_trains_and_what_validates(tmp_path: Path) -> None:
    for first, split in ((0, "instances_train2017"), (10, "instances_val2017"), (20, "test")):
        images = folders.pictures(tmp_path / "images", first)
        folders.coco_json(tmp_path / f"{split}.json", images, tmp_path / "images")
    found = discover(tmp_path)
    assert not found.needs_split
    assert found.notes == ("left alone: test.json",)
    assert settings(tmp_path) == {
        "kind": "coco",
        "root": tmp_path,
        "train": {"annotations": Path("instances_train2017.json"), "images": Path("images")},
        "val": {"annotations": Path("instances_val2017.json"), "images": Path("images")},
    }


def test_a_picture_whose_name_no_file_can_have_is_one_that_is_not_there(tmp_path: Path) -> None:
    images = folders.pictures(tmp_path / "images")
    file = tmp_path / "all.json"
    folders.coco_json(file, images, tmp_path / "images")
    values = json.loads(file.read_text())
    values["images"][0]["file_name"] = "n" * 300 + ".png"
    file.write_text(json.dumps(values))
    assert discover(tmp_path).images == {file: tmp_path / "images"}


def test_nor_can_a_folder_have_any_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder"):
        discover(tmp_path / ("n" * 300))


def test_lists_of_names_are_splits_of_voc(tmp_path: Path) -> None:
    folders.voc(tmp_path)
    folders.write(tmp_path / "sets/train.txt", "p0\np1\n")
    folders.write(tmp_path / "sets/val.txt", "p2\n")
    folders.write(tmp_path / "sets/cat_val.txt", "p2 -1\n")
    assert not discover(tmp_path).needs_split
    assert settings(tmp_path)["val"] == {
        "image_set": Path("sets/val.txt"),
        "annotations": Path("marks"),
        "images": Path("shots"),
    }


def test_lists_that_name_other_pictures_are_none(tmp_path: Path) -> None:
    folders.voc(tmp_path)
    folders.write(tmp_path / "train.txt", "p0\nelsewhere\n")
    folders.write(tmp_path / "val.txt", "p2\n")
    assert discover(tmp_path).needs_split


def test_the_folders_of_a_coco_file_name_are_found_below(tmp_path: Path) -> None:
    images = folders.pictures(tmp_path / "deep/er/images")
    folders.coco_json(tmp_path / "all.json", images, tmp_path / "deep")
    assert settings(tmp_path)["train"]["images"] == Path("deep")


def test_yolos_labels_without_a_yaml_are_described(tmp_path: Path) -> None:
    folders.yolo_without_yaml(tmp_path)
    found = discover(tmp_path)
    assert yolo_description(found) == {
        "path": str(tmp_path),
        "train": str(tmp_path / "images"),
        "names": ["cat", "dog"],
    }


def test_a_yaml_that_names_both_splits_needs_none(tmp_path: Path) -> None:
    folders.yolo(tmp_path)
    text = (tmp_path / "anything.yml").read_text()
    (tmp_path / "anything.yml").write_text(text.replace("val: images", "val: other"))
    found = discover(tmp_path)
    assert not found.needs_split
    assert yolo_description(found) is None


def test_other_files_are_no_annotations(tmp_path: Path) -> None:
    folders.voc(tmp_path)
    folders.write(tmp_path / "requirements.txt", "numpy\n")
    folders.write(tmp_path / "settings.yaml", "names: 3\n")
    captions = {"images": [{"file_name": "p0.png"}], "annotations": [{"caption": "a cat"}]}
    folders.write(tmp_path / "captions.json", json.dumps(captions | {"categories": []}))
    folders.write(tmp_path / "broken.json", "{")
    folders.write(tmp_path / "marks/page.xml", "<html/>")
    folders.write(tmp_path / ".hidden/a.txt", folders.yolo_line(0))
    assert discover(tmp_path).train.kind == "voc"


# --- what is refused -----------------------------------------------------------------------------


def refused(root: Path, **options) -> DataError:
    with pytest.raises(DataError) as caught:
        yolo_description(discover(root, **options))
    return caught.value


def test_a_missing_folder_and_a_file_are_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "none").found == f"there is no folder {tmp_path / 'none'}"
    (tmp_path / "file").touch()
    assert refused(tmp_path / "file").found == f"{tmp_path / 'file'} is a file"


def test_an_empty_folder_has_neither(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert "has no pictures, and no annotations (other files: 0)" in error.found
    assert "check the path" in error.remedy


def test_pictures_without_annotations_are_counted(tmp_path: Path) -> None:
    folders.pictures(tmp_path)
    folders.write(tmp_path / "readme.txt", "hello\n")
    error = refused(tmp_path)
    assert "has 10 pictures, and no annotations (other files: 1)" in error.found
    assert "COCO, DOTA, VOC, YOLO" in error.expected


def test_annotations_without_pictures_are_counted(tmp_path: Path) -> None:
    folders.voc(tmp_path / "a")
    shutil.rmtree(tmp_path / "a/shots")
    error = refused(tmp_path / "a")
    assert f"{tmp_path / 'a/marks'} has annotations (VOC, 10 files)" in error.found
    assert "there are no pictures" in error.found


def test_of_two_formats_one_must_be_named(tmp_path: Path) -> None:
    folders.voc(tmp_path)
    folders.coco_json(tmp_path / "all.json", [tmp_path / "shots/p0.png"], tmp_path / "shots")
    error = refused(tmp_path)
    assert error.found.startswith("2 sets of annotations:\n    COCO: ")
    assert "--format coco" in error.remedy
    assert discover(tmp_path, "voc").train.kind == "voc"
    assert "no annotations" in refused(tmp_path, kind="dota").found


def test_two_of_one_format_without_such_words_are_two(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folders.voc(tmp_path / name)
    error = refused(tmp_path)
    assert "2 sets of annotations" in error.found
    assert "call the parts train and val" in error.remedy


def test_labels_whose_classes_nobody_names_are_refused(tmp_path: Path) -> None:
    folders.yolo_without_yaml(tmp_path)
    (tmp_path / "classes.txt").unlink()
    assert "classes.txt" in refused(tmp_path).remedy


def test_labels_where_yolo_does_not_look_are_refused(tmp_path: Path) -> None:
    folders.yolo_without_yaml(tmp_path)
    (tmp_path / "labels").rename(tmp_path / "marks")
    assert f"them in {tmp_path / 'labels'}" in refused(tmp_path).expected
