import json
import os
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet2tflite.config.dataset import CocoData, CocoSplit, DigitsData
from mmdet2tflite.data.prepare import DATASET, newest_change
from mmdet2tflite.store.store import Store

from .conftest import sound_source

DIGITS = DigitsData(kind="digits", train_images=3, val_images=2)


def test_a_sound_data_set_is_taken_with_its_images_where_they_lie(source, build, store) -> None:
    dataset = build()
    assert dataset.train.image_root == str((source.root / "images").resolve())
    assert (dataset.train.images, dataset.train.boxes) == (2, 2)
    assert (dataset.val.images, dataset.val.boxes) == (1, 1)
    assert dataset.metrics == {
        "train.images": 2,
        "train.boxes": 2,
        "val.images": 1,
        "val.boxes": 1,
    }
    assert sorted(p.name for p in store.path(dataset).rglob("*") if p.is_file()) == [
        "manifest.json",
        "problems.json",
        "train.json",
        "val.json",
    ]


def test_classes_are_all_categories_by_their_ids(source, build, contents) -> None:
    dataset = build()
    assert dataset.classes == ("dog", "cat")  # 3 and 7
    train = contents(dataset, "train.json")
    assert train["categories"] == [{"id": 0, "name": "dog"}, {"id": 1, "name": "cat"}]
    assert [box["category_id"] for box in train["annotations"]] == [1, 1]


def test_configured_classes_are_taken_in_their_order_without_the_others(
    source, build, contents
) -> None:
    source.train["annotations"][0]["category_id"] = 3
    dataset = build(classes=["cat"])
    assert dataset.classes == ("cat",)
    boxes = contents(dataset, "train.json")["annotations"]
    assert [(box["id"], box["category_id"]) for box in boxes] == [(2, 0)]
    assert dataset.train.images == 2  # an image without boxes shows what is not a cat


def test_an_annotation_id_of_zero_is_renumbered(source, build, contents) -> None:
    source.train["annotations"][0]["id"] = 0
    boxes = contents(build(), "train.json")["annotations"]
    assert [box["id"] for box in boxes] == [1, 2]


def test_sound_ids_and_crowds_are_kept(source, build, contents) -> None:
    source.train["images"][1]["id"] = 77
    source.train["annotations"][1] |= {"id": 500, "image_id": 77, "iscrowd": 1}
    dataset = build()
    train = contents(dataset, "train.json")
    assert [image["id"] for image in train["images"]] == [1, 77]
    assert train["annotations"][1]["id"] == 500
    assert [box["iscrowd"] for box in train["annotations"]] == [0, 1]
    assert dataset.train.boxes == 1


def test_the_area_is_the_sources_or_else_the_boxs(source, build, contents) -> None:
    source.train["annotations"][0]["area"] = 123.5
    boxes = contents(build(), "train.json")["annotations"]
    assert [box["area"] for box in boxes] == [123.5, 10 * 20]


def test_pycocotools_reads_what_was_written(build, store, capsys) -> None:
    from pycocotools.coco import COCO

    coco = COCO(str(store.path(build(), "train.json")))
    assert coco.getAnnIds() == [1, 2]
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["dog", "cat"]


def test_the_same_content_in_another_folder_is_the_same_data_set(tmp_path, store) -> None:
    one, two = sound_source(tmp_path / "one"), sound_source(tmp_path / "two")
    results = [DATASET.build(store, source.config(), timeout=60) for source in (one, two)]
    assert results[0].digest == results[1].digest
    assert results[0].key != results[1].key


def test_another_pixel_makes_another_key_and_another_data_set(source, build) -> None:
    before = build()
    pixels = cv2.imread(str(source.root / "images/a.png"))
    pixels[0, 0, 0] ^= 1
    cv2.imwrite(str(source.root / "images/a.png"), pixels)
    after = build()
    assert after.key != before.key
    assert after.digest != before.digest
    assert after.train.images_digest != before.train.images_digest
    assert after.val.images_digest == before.val.images_digest


def test_the_key_follows_the_time_stamp_of_an_image_and_the_digest_does_not(source, build) -> None:
    before = build()
    os.utime(source.root / "images/a.png", ns=(1, 1))
    after = build()
    assert after.key != before.key
    assert after.digest == before.digest


def test_an_image_that_appears_or_goes_makes_another_key(source) -> None:
    key = DATASET.key(source.config())
    assert DATASET.key(source.config()) == key
    image = source.root / "images/a.png"
    image.rename(image.with_suffix(".gone"))
    assert DATASET.key(source.config()) != key
    image.with_suffix(".gone").rename(image)
    assert DATASET.key(source.config()) == key


def test_a_data_set_is_the_same_by_a_relative_and_an_absolute_path(source, monkeypatch) -> None:
    config = source.config()
    monkeypatch.chdir(source.root.parent)
    relative = config.model_copy(update={"root": Path(source.root.name)})
    assert DATASET.key(relative) == DATASET.key(config)


def test_a_data_set_that_was_moved_is_read_again_and_the_same_to_those_that_use_it(
    source, store
) -> None:
    """What comes out says where the images are."""
    first = DATASET.build(store, source.save().config(), timeout=60)
    moved = source.root.rename(source.root.with_name("moved"))
    config = source.config().model_copy(update={"root": moved})
    second = DATASET.build(store, config, timeout=60)
    assert second.key != first.key
    assert second.digest == first.digest
    assert second.train.image_root == str((moved / "images").resolve())


def test_a_folder_that_is_no_longer_allowed_is_asked_for_again(source) -> None:
    config = source.config()
    allowed = config.model_copy(update={"allowed_folders": (Path("/elsewhere"),)})
    assert DATASET.key(allowed) != DATASET.key(config)


def test_the_newest_change_is_that_of_the_file_that_changed_last(source) -> None:
    source.save()
    images = sorted((source.root / "images").iterdir())
    for age, file in enumerate([*source.root.rglob("*.json"), *images]):
        os.utime(file, (1_000_000 - age, 1_000_000 - age))
    os.utime(images[-1], (2_000_000, 2_000_000))
    assert newest_change(source.config()) == datetime.fromtimestamp(2_000_000, UTC)


def test_built_in_data_never_change() -> None:
    assert newest_change(DIGITS) is None


@pytest.mark.parametrize("content", [None, "", "[]", '{"images": [{"id": 1}]}'])
def test_a_key_can_be_made_of_a_missing_or_damaged_json(content, source) -> None:
    path = source.root / "train.json"
    path.unlink() if content is None else path.write_text(content)
    assert DATASET.key(source.config())


def test_relative_paths_are_relative_to_the_current_directory(
    source, store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.root.parent)
    relative = source.config().model_copy(update={"root": Path(source.root.name)})
    dataset = DATASET.build(store, relative, timeout=60)
    assert dataset.train.image_root == str((source.root / "images").resolve())


def test_digits_become_a_data_set_with_its_images_inside(store) -> None:
    dataset = DATASET.build(store, DIGITS, timeout=60)
    assert dataset.classes == tuple("0123456789")
    assert dataset.train.image_root == ""
    assert (dataset.train.images, dataset.val.images) == (3, 2)
    coco = json.loads(store.path(dataset, "val.json").read_text())
    assert dataset.metrics["val.boxes"] == len(coco["annotations"]) == dataset.val.boxes
    for image in coco["images"]:
        assert store.path(dataset, image["file_name"]).is_file()


def test_digits_have_the_same_digest_in_every_store(tmp_path) -> None:
    one, two = (
        DATASET.build(Store(tmp_path / name), DIGITS, timeout=60) for name in ("one", "two")
    )
    assert (one.key, one.digest) == (two.key, two.digest)


def test_digits_pass_their_own_checks_as_coco(tmp_path, store) -> None:
    """Rule 4 of the checks has no complaint about the boxes that the digits claim."""
    drawn = store.path(DATASET.build(store, DIGITS, timeout=60))
    config = CocoData(
        kind="coco",
        root=drawn,
        train=CocoSplit(annotations=Path("train.json")),
        val=CocoSplit(annotations=Path("val.json")),
    )
    dataset = DATASET.build(store, config, timeout=60)
    assert dataset.classes == tuple("0123456789")
    assert not [name for name in dataset.metrics if name.startswith("problems.")]
    for split in ("train", "val"):
        written = json.loads(store.path(dataset, f"{split}.json").read_text())
        assert written == json.loads((drawn / f"{split}.json").read_text())


BCCD = os.environ.get("MMDET2TFLITE_BCCD")


@pytest.mark.skipif(
    not BCCD, reason="MMDET2TFLITE_BCCD does not name a folder with the BCCD data set"
)
def test_the_blood_cell_images_are_a_sound_data_set(store) -> None:
    config = CocoData(
        kind="coco",
        root=Path(BCCD),
        train=CocoSplit(annotations=Path("train.json"), images=Path("images")),
        val=CocoSplit(annotations=Path("val.json"), images=Path("images")),
    )
    dataset = DATASET.build(store, config, timeout=60)
    assert dataset.classes == ("RBC", "WBC", "Platelets")
    assert (dataset.train.images, dataset.val.images) == (205, 87)
    source = json.loads((Path(BCCD) / "train.json").read_text())
    written = json.loads(store.path(dataset, "train.json").read_text())
    assert np.array_equal(
        [box["bbox"] for box in source["annotations"]],
        [box["bbox"] for box in written["annotations"]],
    )
    assert {
        (box["category_id"] - 1, new["category_id"])
        for box, new in zip(source["annotations"], written["annotations"], strict=True)
    } == {(0, 0), (1, 1), (2, 2)}
